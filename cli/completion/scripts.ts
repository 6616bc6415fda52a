/**
 * The scripts that teach a shell to complete the words of `spool`. They know nothing of its verbs: each
 * asks `spool __complete` with the words typed so far, and gets one candidate a line, with what it is
 * after a tab. So they need not be written anew for a new verb or topic.
 */

export type Shell = 'bash' | 'zsh' | 'fish'

/** The script for one shell. */
export function completionScript(shell: Shell): string {
  return SCRIPTS[shell]
}

/**
 * Bash takes `:` and `=` for ends of words, so candidates lose what stands before the last one. It hands
 * over the line and not its words, which it has cut apart; `spool` knows how to put quotes together.
 */
const BASH = `# Completes the words of spool in bash: source <(spool completion bash)
_spool() {
  local line="\${COMP_LINE:0:COMP_POINT}" cut="" candidate
  local word="\${line##*[[:space:]]}"
  [[ "$COMP_WORDBREAKS" == *[=:]* ]] && cut="\${word%"\${word##*[=:]}"}"
  COMPREPLY=()
  while IFS=$'\\t' read -r candidate _; do
    [[ -n "$candidate" ]] && COMPREPLY+=("\${candidate#"$cut"}")
  done < <("\${COMP_WORDS[0]/#~\\//$HOME/}" __complete --line "$line" 2> /dev/null)
  if [[ \${#COMPREPLY[@]} -eq 1 && "\${COMPREPLY[0]}" == *= ]]; then
    compopt -o nospace 2> /dev/null
  fi
  if [[ \${#COMPREPLY[@]} -eq 1 && "\${COMPREPLY[0]}" == "<file>" ]]; then
    COMPREPLY=()
    compopt -o default -o filenames 2> /dev/null
  fi
}
complete -F _spool spool
`

const ZSH = `#compdef spool
# Completes the words of spool in zsh: source <(spool completion zsh), after compinit
_spool() {
  local -a candidates assignments
  local line candidate about
  local -a typed=("\${(@Q)words[2,CURRENT]}")
  while IFS= read -r line; do
    [[ -z "$line" ]] && continue
    candidate="\${line%%$'\\t'*}"
    about="\${line#*$'\\t'}"
    if [[ "$candidate" == "<file>" ]]; then
      [[ "\${words[CURRENT]}" == --*=* ]] && compset -P '*='
      _files
      return
    fi
    if [[ "$candidate" == *= ]]; then
      assignments+=("\${candidate//:/\\\\:}:$about")
    else
      candidates+=("\${candidate//:/\\\\:}:$about")
    fi
  done < <("\${words[1]}" __complete -- "\${typed[@]}" 2> /dev/null)
  (( \${#candidates} )) && _describe -V spool candidates
  (( \${#assignments} )) && _describe -V spool assignments -S ''
}
compdef _spool spool
`

const FISH = `# Completes the words of spool in fish: spool completion fish > ~/.config/fish/completions/spool.fish
function __spool_complete
    set -l typed (commandline -opc) (commandline -ct)
    set -l found ($typed[1] __complete -- $typed[2..-1] 2> /dev/null)
    if test "$found[1]" = "<file>"
        set -l option (string match -r -- '^--[^=]+=' "$typed[-1]")
        for path in (__fish_complete_path (string replace -- "$option" '' "$typed[-1]"))
            echo "$option$path"
        end
        return
    end
    printf '%s\\n' $found
end
complete -c spool -f -a '(__spool_complete)'
`

const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH }
