import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.ControlRecordType;
import org.apache.kafka.common.record.EndTransactionMarker;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.MemoryRecordsBuilder;
import org.apache.kafka.common.record.MutableRecordBatch;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.record.TimestampType;

/**
 * Makes the golden batches of Kafka's own Java client, and reads batches with it. How to run it is in
 * README.md. The records are those of records.ts, spelled out again: a golden file says nothing if both
 * sides take them from one place.
 */
public class MakeGolden {
    static final long BASE = 1_700_000_000_000L;
    static final Header[] NONE = {};

    public static void main(String[] args) throws Exception {
        if (args.length == 2 && args[0].equals("read")) read(Path.of(args[1]));
        else make(Path.of(args[0]));
    }

    static void make(Path directory) throws Exception {
        for (String codec : new String[] {"none", "gzip", "snappy", "lz4", "zstd"}) {
            MemoryRecordsBuilder fields = builder(codec, TimestampType.CREATE_TIME, -1, (short) -1, -1, false);
            fields(fields);
            write(directory, "fields." + codec, fields.build());
            if (codec.equals("none")) continue;
            MemoryRecordsBuilder many = builder(codec, TimestampType.CREATE_TIME, -1, (short) -1, -1, false);
            for (int i = 0; i < 1000; i++) {
                many.append(BASE + i, utf8("key-" + i), utf8(("value-" + i + "-").repeat(10)), NONE);
            }
            write(directory, "many." + codec, many.build());
        }
        MemoryRecordsBuilder idempotent = builder("none", TimestampType.CREATE_TIME, 4242, (short) 7, Integer.MAX_VALUE - 1, false);
        fields(idempotent);
        write(directory, "idempotent.none", idempotent.build());

        MemoryRecordsBuilder transactional = builder("lz4", TimestampType.CREATE_TIME, 4242, (short) 7, 12, true);
        fields(transactional);
        write(directory, "transactional.lz4", transactional.build());

        MemoryRecordsBuilder appended = builder("zstd", TimestampType.LOG_APPEND_TIME, -1, (short) -1, -1, false);
        fields(appended);
        write(directory, "log-append-time.zstd", appended.build());

        EndTransactionMarker marker = new EndTransactionMarker(ControlRecordType.COMMIT, 3);
        write(directory, "control.none", MemoryRecords.withEndTransactionMarker(99, BASE, 5, 4242, (short) 7, marker));
    }

    static MemoryRecordsBuilder builder(
            String codec, TimestampType type, long producerId, short epoch, int sequence, boolean transactional) {
        long logAppendTime = type == TimestampType.LOG_APPEND_TIME ? BASE + 777 : -1;
        return MemoryRecords.builder(ByteBuffer.allocate(1024), (byte) 2, Compression.of(codec).build(), type, 40,
                logAppendTime, producerId, epoch, sequence, transactional, 5);
    }

    static void fields(MemoryRecordsBuilder builder) {
        builder.append(BASE, (byte[]) null, utf8("no key"), NONE);
        builder.append(BASE + 1, utf8(""), utf8(""), NONE);
        builder.append(BASE + 250, utf8("ключ-🔑"), null, NONE);
        builder.append(BASE - 5000, new byte[] {0, -1, -128}, utf8("v"), new Header[] {
            new RecordHeader("trace", utf8("a1")),
            new RecordHeader("empty", utf8("")),
            new RecordHeader("null", (byte[]) null),
            new RecordHeader("trace", utf8("twice")),
            new RecordHeader("имя", new byte[] {-1, 0}),
        });
        byte[] long300 = new byte[300];
        for (int i = 0; i < long300.length; i++) long300[i] = (byte) (i % 251);
        builder.append(BASE + 86_400_000, utf8("k"), long300, NONE);
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static void write(Path directory, String name, MemoryRecords records) throws Exception {
        ByteBuffer buffer = records.buffer().duplicate();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        Files.write(directory.resolve(name + ".batch"), bytes);
    }

    static void read(Path file) throws Exception {
        for (MutableRecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(Files.readAllBytes(file))).batches()) {
            batch.ensureValid();
            for (Record record : batch) {
                StringBuilder headers = new StringBuilder();
                for (Header header : record.headers()) {
                    byte[] value = header.value();
                    if (headers.length() > 0) headers.append(',');
                    headers.append(hex(ByteBuffer.wrap(utf8(header.key())))).append('=')
                            .append(hex(value == null ? null : ByteBuffer.wrap(value)));
                }
                System.out.println(record.offset() + " " + record.timestamp() + " " + hex(record.key()) + " "
                        + hex(record.value()) + " " + (headers.length() == 0 ? "-" : headers));
            }
        }
    }

    static String hex(ByteBuffer field) {
        if (field == null) return "-";
        byte[] bytes = new byte[field.remaining()];
        field.duplicate().get(bytes);
        return "x" + HexFormat.of().formatHex(bytes);
    }
}
