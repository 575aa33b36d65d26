# bash completion for skep; made by: skep meta completion bash
_skep() {
  local word=${COMP_WORDS[COMP_CWORD]} options=""
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "run exec verify dump feature version --help" -- "$word"))
    return
  fi
  case ${COMP_WORDS[1]} in
    run) options="--help --prog --pcap --out-pass --out-drop --out-tx --engine --checked --verified --unverified --jit-harden --jit-retpolines --jit-tools --repeat --map --dump-maps --record --limit --mcpu --btf --json" ;;
    exec) options="--help --engine --verified --unverified --unprivileged-bpf --jit-harden --jit-retpolines --jit-tools" ;;
    verify) options="--help --prog --unprivileged --log --stats --repeat --kernel --compare --mcpu --btf --csv --json" ;;
    dump) options="--help --prog --opcodes --dot --jit --jit-harden --jit-retpolines --jit-tools --mcpu --btf --json" ;;
    feature) options="--help --json" ;;
    version) options="--help --json" ;;
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  else
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -o filenames -F _skep skep
