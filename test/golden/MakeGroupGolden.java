import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordHelpers;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.OffsetAndMetadata;
import org.apache.kafka.coordinator.group.generated.ConsumerGroupMemberMetadataValue;
import org.apache.kafka.coordinator.group.generated.ConsumerGroupPartitionMetadataKey;
import org.apache.kafka.coordinator.group.generated.ConsumerGroupPartitionMetadataValue;
import org.apache.kafka.coordinator.group.generated.GroupMetadataKey;
import org.apache.kafka.coordinator.group.generated.GroupMetadataValue;
import org.apache.kafka.coordinator.group.generated.LegacyOffsetCommitKey;
import org.apache.kafka.coordinator.group.generated.LegacyOffsetCommitValue;
import org.apache.kafka.coordinator.group.generated.OffsetCommitKey;
import org.apache.kafka.coordinator.group.generated.OffsetCommitValue;
import org.apache.kafka.coordinator.group.generated.ShareGroupMetadataKey;
import org.apache.kafka.coordinator.group.modern.MemberState;
import org.apache.kafka.coordinator.group.modern.consumer.ConsumerGroupMember;
import org.apache.kafka.coordinator.group.modern.consumer.ResolvedRegularExpression;
import org.apache.kafka.server.common.ApiMessageAndVersion;

/**
 * Makes the golden records of `__consumer_offsets`, with what Kafka 4.3's own group coordinator uses to
 * make and to write them, and reads records with it. How to run it is in README.md. A line is the name of
 * a case, then key and value in hexadecimal; "-" is a tombstone. `read FILE` reads such lines and writes
 * them again from what it has read.
 */
public class MakeGroupGolden {
    static final long BASE = 1_700_000_000_000L;
    static final Uuid ORDERS = new Uuid(0x0123456789ab4defL, 0x8123456789abcdefL);
    static final Uuid CLICKS = new Uuid(0xfedcba98765443a1L, 0xbedcba9876543210L);
    static final GroupCoordinatorRecordSerde SERDE = new GroupCoordinatorRecordSerde();
    static final List<String> LINES = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        if (args.length == 2 && args[0].equals("read")) {
            for (String line : Files.readAllLines(Path.of(args[1]))) read(line.split(" "));
        } else {
            offsets();
            classicGroups();
            groups();
            members();
            others();
        }
        String text = String.join("\n", LINES) + "\n";
        if (args[0].equals("read")) System.out.print(text);
        else Files.writeString(Path.of(args[0]), text);
    }

    static void offsets() {
        add("offset-commit", GroupCoordinatorRecordHelpers.newOffsetCommitRecord("workers", "orders", 3,
                commit(1234, OptionalInt.of(7), "done by ключ-🔑", OptionalLong.empty(), ORDERS)));
        add("offset-commit-without-topic-id", GroupCoordinatorRecordHelpers.newOffsetCommitRecord("workers", "orders", 0,
                commit(0, OptionalInt.empty(), "", OptionalLong.empty(), Uuid.ZERO_UUID)));
        add("offset-commit-large", GroupCoordinatorRecordHelpers.newOffsetCommitRecord("g".repeat(255), "t".repeat(249), Integer.MAX_VALUE,
                commit((1L << 53) - 1, OptionalInt.of(Integer.MAX_VALUE), "m".repeat(300), OptionalLong.empty(), CLICKS)));
        add("offset-commit-expiring", GroupCoordinatorRecordHelpers.newOffsetCommitRecord("workers", "orders", 1,
                commit(55, OptionalInt.empty(), "old", OptionalLong.of(BASE + 86_400_000), Uuid.ZERO_UUID)));
        add("offset-commit-tombstone", GroupCoordinatorRecordHelpers.newOffsetCommitTombstoneRecord("workers", "orders", 3));
        for (short version : new short[] {0, 2, 3}) {
            OffsetCommitValue value = new OffsetCommitValue().setOffset(99).setMetadata("v" + version).setCommitTimestamp(BASE);
            if (version == 3) value.setLeaderEpoch(5);
            add("offset-commit-version-" + version, CoordinatorRecord.record(
                    new OffsetCommitKey().setGroup("workers").setTopic("orders").setPartition(2),
                    new ApiMessageAndVersion(value, version)));
        }
        add("legacy-offset-commit", CoordinatorRecord.record(
                new LegacyOffsetCommitKey().setGroup("workers").setTopic("orders").setPartition(2),
                new ApiMessageAndVersion(new LegacyOffsetCommitValue().setOffset(98).setMetadata("legacy").setCommitTimestamp(BASE), (short) 0)));
    }

    static OffsetAndMetadata commit(long offset, OptionalInt leaderEpoch, String metadata, OptionalLong expires, Uuid topicId) {
        return new OffsetAndMetadata(offset, leaderEpoch, metadata, BASE, expires, topicId);
    }

    static void classicGroups() {
        for (short version = 0; version <= 4; version++) {
            GroupMetadataValue.MemberMetadata member = new GroupMetadataValue.MemberMetadata()
                    .setMemberId("consumer-1-abc").setClientId("consumer-1").setClientHost("/127.0.0.1")
                    .setSessionTimeout(45_000).setSubscription(new byte[] {0, 1, -1}).setAssignment(new byte[0]);
            if (version >= 1) member.setRebalanceTimeout(300_000);
            if (version >= 3) member.setGroupInstanceId("instance-1");
            GroupMetadataValue value = new GroupMetadataValue().setProtocolType("consumer").setGeneration(12)
                    .setProtocol("range").setLeader("consumer-1-abc").setMembers(List.of(member));
            if (version >= 2) value.setCurrentStateTimestamp(BASE);
            add("classic-group-version-" + version, CoordinatorRecord.record(
                    new GroupMetadataKey().setGroup("classic"), new ApiMessageAndVersion(value, version)));
        }
        add("classic-group-empty", CoordinatorRecord.record(
                new GroupMetadataKey().setGroup("classic"),
                new ApiMessageAndVersion(new GroupMetadataValue().setProtocolType("").setGeneration(0).setProtocol(null)
                        .setLeader(null).setCurrentStateTimestamp(BASE).setMembers(List.of()), (short) 3)));
        add("classic-group-tombstone", GroupCoordinatorRecordHelpers.newGroupMetadataTombstoneRecord("classic"));
    }

    static void groups() {
        add("group-epoch", GroupCoordinatorRecordHelpers.newConsumerGroupEpochRecord("workers", 42, 0x7123456789abcdefL));
        add("group-epoch-negative-hash", GroupCoordinatorRecordHelpers.newConsumerGroupEpochRecord("workers", 43, -2));
        add("group-epoch-without-hash", GroupCoordinatorRecordHelpers.newConsumerGroupEpochRecord("workers", 1, 0));
        add("group-epoch-tombstone", GroupCoordinatorRecordHelpers.newConsumerGroupEpochTombstoneRecord("workers"));
        add("target-epoch", GroupCoordinatorRecordHelpers.newConsumerGroupTargetAssignmentMetadataRecord("workers", 42, BASE));
        add("target-epoch-without-time", GroupCoordinatorRecordHelpers.newConsumerGroupTargetAssignmentMetadataRecord("workers", 41, 0));
        add("target-epoch-tombstone", GroupCoordinatorRecordHelpers.newConsumerGroupTargetAssignmentMetadataTombstoneRecord("workers"));
        Set<String> topics = new LinkedHashSet<>(List.of("orders", "orders-late"));
        add("pattern", GroupCoordinatorRecordHelpers.newConsumerGroupRegularExpressionRecord(
                "workers", "orders.*", new ResolvedRegularExpression(topics, 77, BASE)));
        add("pattern-tombstone", GroupCoordinatorRecordHelpers.newConsumerGroupRegularExpressionTombstone("workers", "orders.*"));
    }

    static void members() {
        ConsumerGroupMember plain = new ConsumerGroupMember.Builder("member-1").setClientId("worker").setClientHost("/10.0.0.7")
                .setSubscribedTopicNames(List.of("orders", "clicks")).setRebalanceTimeoutMs(60_000).build();
        add("member", GroupCoordinatorRecordHelpers.newConsumerGroupMemberSubscriptionRecord("workers", plain));
        ConsumerGroupMember full = new ConsumerGroupMember.Builder("member-2").setInstanceId("instance-2").setRackId("rack-b")
                .setClientId("").setClientHost("").setSubscribedTopicNames(List.of()).setSubscribedTopicRegex("orders.*")
                .setServerAssignorName("range").setRebalanceTimeoutMs(300_000).build();
        add("member-full", GroupCoordinatorRecordHelpers.newConsumerGroupMemberSubscriptionRecord("workers", full));
        ConsumerGroupMember classic = new ConsumerGroupMember.Builder("member-3").setClientId("old").setClientHost("/10.0.0.8")
                .setSubscribedTopicNames(List.of("orders")).setRebalanceTimeoutMs(-1)
                .setClassicMemberMetadata(new ConsumerGroupMemberMetadataValue.ClassicMemberMetadata().setSessionTimeoutMs(45_000)
                        .setSupportedProtocols(List.of(new ConsumerGroupMemberMetadataValue.ClassicProtocol()
                                .setName("range").setMetadata(new byte[] {0, 3, -128}))))
                .build();
        add("member-classic", GroupCoordinatorRecordHelpers.newConsumerGroupMemberSubscriptionRecord("workers", classic));
        add("member-tombstone", GroupCoordinatorRecordHelpers.newConsumerGroupMemberSubscriptionTombstoneRecord("workers", "member-1"));

        Map<Uuid, Set<Integer>> target = new LinkedHashMap<>();
        target.put(ORDERS, new LinkedHashSet<>(List.of(0, 2, 1_000_000)));
        target.put(CLICKS, new LinkedHashSet<>(List.of(5)));
        add("target-member", GroupCoordinatorRecordHelpers.newConsumerGroupTargetAssignmentRecord("workers", "member-1", target));
        add("target-member-empty", GroupCoordinatorRecordHelpers.newConsumerGroupTargetAssignmentRecord("workers", "member-2", Map.of()));
        add("target-member-tombstone", GroupCoordinatorRecordHelpers.newConsumerGroupTargetAssignmentTombstoneRecord("workers", "member-1"));

        add("current-stable", current("member-1", 42, 41, MemberState.STABLE, epochs(ORDERS, 0, 40, 2, 42), Map.of()));
        add("current-unrevoked", current("member-1", 42, 40, MemberState.UNREVOKED_PARTITIONS,
                epochs(ORDERS, 0, 40), epochs(CLICKS, 5, 13, 6, 14)));
        add("current-unreleased", current("member-2", 43, 42, MemberState.UNRELEASED_PARTITIONS, Map.of(), Map.of()));
        add("current-left-for-a-while", current("member-2", -2, 42, MemberState.STABLE, epochs(CLICKS, 1, 9), Map.of()));
        add("current-tombstone", GroupCoordinatorRecordHelpers.newConsumerGroupCurrentAssignmentTombstoneRecord("workers", "member-1"));
    }

    static CoordinatorRecord current(String memberId, int epoch, int previous, MemberState state,
            Map<Uuid, Map<Integer, Integer>> assigned, Map<Uuid, Map<Integer, Integer>> revoking) {
        return GroupCoordinatorRecordHelpers.newConsumerGroupCurrentAssignmentRecord("workers",
                new ConsumerGroupMember.Builder(memberId).setMemberEpoch(epoch).setPreviousMemberEpoch(previous).setState(state)
                        .setAssignedPartitions(assigned).setPartitionsPendingRevocation(revoking).build());
    }

    static Map<Uuid, Map<Integer, Integer>> epochs(Uuid topic, int... partitionsAndEpochs) {
        Map<Integer, Integer> epochs = new LinkedHashMap<>();
        for (int i = 0; i < partitionsAndEpochs.length; i += 2) epochs.put(partitionsAndEpochs[i], partitionsAndEpochs[i + 1]);
        Map<Uuid, Map<Integer, Integer>> byTopic = new LinkedHashMap<>();
        byTopic.put(topic, epochs);
        return byTopic;
    }

    /** What 4.3 reads and no longer writes, and what belongs to other kinds of groups. */
    static void others() {
        add("partition-metadata", CoordinatorRecord.record(
                new ConsumerGroupPartitionMetadataKey().setGroupId("workers"),
                new ApiMessageAndVersion(new ConsumerGroupPartitionMetadataValue().setTopics(List.of(
                        new ConsumerGroupPartitionMetadataValue.TopicMetadata().setTopicId(ORDERS).setTopicName("orders")
                                .setNumPartitions(4).setPartitionMetadata(List.of(
                                        new ConsumerGroupPartitionMetadataValue.PartitionMetadata().setPartition(0)
                                                .setRacks(List.of("rack-a", "rack-b")))))), (short) 0)));
        add("partition-metadata-tombstone",
                GroupCoordinatorRecordHelpers.newConsumerGroupSubscriptionMetadataTombstoneRecord("workers"));
        add("share-group", GroupCoordinatorRecordHelpers.newShareGroupEpochRecord("sharers", 3, 9));
        add("share-group-tombstone", CoordinatorRecord.tombstone(new ShareGroupMetadataKey().setGroupId("sharers")));
    }

    static void add(String name, CoordinatorRecord record) {
        LINES.add(name + " " + hex(SERDE.serializeKey(record)) + " " + hex(SERDE.serializeValue(record)));
    }

    static void read(String[] fields) {
        CoordinatorRecord record = SERDE.deserialize(bytes(fields[1]), bytes(fields[2]));
        add(fields[0], record);
    }

    static ByteBuffer bytes(String hex) {
        return hex.equals("-") ? null : ByteBuffer.wrap(HexFormat.of().parseHex(hex));
    }

    static String hex(byte[] bytes) {
        return bytes == null ? "-" : HexFormat.of().formatHex(bytes);
    }
}
