import Text

/// The scripts with which shells ask `masu __complete` what could stand where the user is typing.
package enum CompletionScript {
    /// The script for a shell; nil if there is none for it.
    package static func of(_ shell: String, for program: String) -> String? {
        let text: String
        switch shell {
        case "bash": text = bash
        case "zsh": text = zsh
        case "fish": text = fish
        default: return nil
        }
        return text.pieces(separatedBy: "@PROGRAM@").joined(separator: program)
    }

    private static let bash = #"""
        # bash completion for @PROGRAM@, made by '@PROGRAM@ completion bash'

        _@PROGRAM@_complete() {
            local line=${COMP_LINE:0:COMP_POINT} words=() cut
            # Bash takes words apart at colons and equals signs, which images and flags have within them.
            read -r -a words <<<"$line"
            [[ $line == *[[:space:]] ]] && words+=("")
            local current=${words[${#words[@]}-1]}
            local answer
            answer=$("${words[0]/#\~/$HOME}" __completeNoDesc "${words[@]:1}" 2>/dev/null) || return
            local directive=${answer##*:}
            answer=${answer:0:${#answer}-${#directive}-1}
            COMPREPLY=()
            (( directive & 1 )) && return
            local candidate
            while IFS= read -r candidate; do
                [[ -n $candidate && $candidate == "$current"* ]] && COMPREPLY+=("$candidate")
            done <<<"$answer"
            if (( directive & 16 )); then
                compopt -o filenames 2>/dev/null
                mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$current")
            elif (( (directive & 4) == 0 && ${#COMPREPLY[@]} == 0 )); then
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "${current#*=}")
                return
            fi
            (( directive & 2 )) && compopt -o nospace 2>/dev/null
            for cut in : =; do
                if [[ $current == *$cut* && $COMP_WORDBREAKS == *$cut* ]]; then
                    local before=${current%"${current##*$cut}"} index
                    for index in "${!COMPREPLY[@]}"; do COMPREPLY[index]=${COMPREPLY[index]#"$before"}; done
                    current=${current##*$cut}
                fi
            done
        }
        complete -F _@PROGRAM@_complete @PROGRAM@

        """#

    private static let zsh = #"""
        #compdef @PROGRAM@
        # zsh completion for @PROGRAM@, made by '@PROGRAM@ completion zsh'

        _@PROGRAM@() {
            local -a lines candidates
            local answer directive line
            answer=$(${words[1]} __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null) || return 1
            lines=("${(@f)answer}")
            directive=${lines[-1]#:}
            lines=("${(@)lines[1,-2]}")
            (( directive & 1 )) && return 1
            for line in "${lines[@]}"; do
                [[ -n $line ]] && candidates+=("${${line//:/\\:}/$'\t'/:}")
            done
            local -a options
            (( directive & 2 )) && options=(-S '')
            (( ${#candidates} )) && _describe -V '@PROGRAM@' candidates "${options[@]}" && return 0
            (( directive & 16 )) && { _files -/; return }
            (( directive & 4 )) || _files
        }

        if [[ $funcstack[1] == _@PROGRAM@ ]]; then
            _@PROGRAM@ "$@"
        else
            compdef _@PROGRAM@ @PROGRAM@
        fi

        """#

    private static let fish = #"""
        # fish completion for @PROGRAM@, made by '@PROGRAM@ completion fish'

        function __@PROGRAM@_complete
            set -l words (commandline -opc) (commandline -ct)
            set -l answer ($words[1] __complete $words[2..-1] 2>/dev/null)
            or return
            set -l directive (string sub -s 2 -- $answer[-1])
            set -e answer[-1]
            test (math "bitand($directive, 1)") -ne 0; and return
            for line in $answer
                test -n "$line"; and echo $line
            end
            if test (count $answer) -eq 0
                if test (math "bitand($directive, 16)") -ne 0
                    __fish_complete_directories (commandline -ct)
                else if test (math "bitand($directive, 4)") -eq 0
                    __fish_complete_path (commandline -ct)
                end
            end
        end
        complete -c @PROGRAM@ -e
        complete -c @PROGRAM@ -f -k -a '(__@PROGRAM@_complete)'

        """#
}
