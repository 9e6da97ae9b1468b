/**
 * `carillon completion`: the scripts of the shells. They know nothing of the commands: each asks `carillon complete --
 * <words>` (complete.ts) and hands on what it says, so that they need no renewal when the CLI changes.
 */

import { EXIT } from './cli-error.ts'
import type { Context } from './context.ts'

/** `carillon completion <shell>`. */
export async function completion(context: Context, [shell = '']: readonly string[]): Promise<number> {
  await context.say((SCRIPTS[shell as keyof typeof SCRIPTS] ?? '').trimEnd())
  return EXIT.done
}

const BASH = `# bash completion of carillon
_carillon() {
  local line="\${COMP_LINE:0:COMP_POINT}" answer current part strip
  local -a words
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current="\${words[\${#words[@]}-1]}"
  # Readline ends words at : and =, and replaces only what comes after.
  part="\${COMP_WORDS[COMP_CWORD]}"
  [[ $part == : || $part == = ]] && part=""
  strip="\${current%"$part"}"
  COMPREPLY=()
  while IFS= read -r answer; do
    case $answer in
      :file|:directory)
        compopt -o filenames 2>/dev/null
        local kind=-f path
        [[ $answer == :directory ]] && kind=-d
        while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen $kind -- "\${current#--*=}")
        ;;
      :*) ;;
      *) answer="\${answer%%$'\\t'*}"; COMPREPLY+=("\${answer#"$strip"}") ;;
    esac
  done < <("\${words[0]/#\\~/$HOME}" complete -- "\${words[@]:1}" 2>/dev/null)
}
complete -F _carillon carillon
`

const ZSH = `#compdef carillon
# zsh completion of carillon
_carillon() {
  local line value
  local -i found=1
  local -a values texts asked
  asked=("\${(@Q)words[2,CURRENT]}")
  while IFS= read -r line; do
    case $line in
      :file) compset -P '--*='; _files && found=0 ;;
      :directory) compset -P '--*='; _files -/ && found=0 ;;
      :*) ;;
      *) value=\${line%%$'\\t'*}; values+=("$value"); texts+=("$value  -- \${line#*$'\\t'}") ;;
    esac
  done < <("\${(Q)words[1]}" complete -- "\${asked[@]}" 2>/dev/null)
  (( \${#values} )) && compadd -l -d texts -a values && found=0
  return found
}
if [[ "\${funcstack[1]}" == _carillon ]]; then
  _carillon "$@"
else
  compdef _carillon carillon
fi
`

const FISH = `# fish completion of carillon
function __carillon_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l program $words[1]
  set -e words[1]
  for line in ($program complete -- $words "$current" 2>/dev/null)
    switch $line
      case ':file'
        __fish_complete_path (string replace -r -- '^--[a-z-]+=' '' "$current")
      case ':directory'
        __fish_complete_directories (string replace -r -- '^--[a-z-]+=' '' "$current")
      case ':*'
      case '*'
        echo $line
    end
  end
end
complete -c carillon -f -a '(__carillon_complete)'
`

export const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH } as const
