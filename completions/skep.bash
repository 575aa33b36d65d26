# bash completion for skep; made by: skep meta completion bash
_skep() {
  local word=${COMP_WORDS[COMP_CWORD]} options="" verbs=""
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "run exec hive verify dump map prog link btf pin feature version --help" -- "$word"))
    return
  fi
  case ${COMP_WORDS[1]} in
    run) options="--help --prog --pcap --out-pass --out-drop --out-tx --engine --checked --verified --unverified --jit-harden --jit-retpolines --jit-tools --repeat --map --dump-maps --record --limit --mcpu --btf --json" verbs="" ;;
    exec) options="--help --hive --root --no-root --overlay --no-overlay --engine --verified --unverified --unprivileged-bpf --jit-harden --jit-retpolines --jit-tools" verbs="" ;;
    hive) options="--help --json --foreground --engine --verified --unverified --unprivileged-bpf --jit-harden --jit-retpolines --jit-tools" verbs="start stop list status" ;;
    verify) options="--help --prog --unprivileged --log --stats --repeat --kernel --compare --mcpu --btf --csv --json" verbs="" ;;
    dump) options="--help --prog --opcodes --dot --jit --jit-harden --jit-retpolines --jit-tools --mcpu --btf --json" verbs="" ;;
    map) options="--help --hive --kernel --json --btf --key-type --value-type --once --interval --count --type --key --value --entries --pin --hold --flags --inner --extra --numa-node --header --per-cpu --where --limit --format --noexist --exist --lock --any --keep" verbs="list show top create pin freeze dump export import lookup update delete getnext push pop peek event-pipe" ;;
    prog) options="--help --hive --kernel --json --file --opcodes --linum --visual --prog --type --map --pinmaps --mcpu --btf --data-in --data-out --data-size-out --ctx-in --ctx-out --ctx-size-out --repeat --duration --cycles --instructions --l1d-loads --llc-misses --itlb-misses --dtlb-misses --cpu-clock" verbs="list show dump load loadall pin run profile" ;;
    link) options="--help --hive --kernel --json" verbs="list show detach pin" ;;
    btf) options="--help --hive --kernel --json --format --key --value --kv --all" verbs="list show dump" ;;
    pin) options="--help --hive --kernel --json --recursive" verbs="ls rm" ;;
    feature) options="--help --json" verbs="" ;;
    version) options="--help --json" verbs="" ;;
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif ((COMP_CWORD == 2)) && [[ $verbs ]]; then
    COMPREPLY=($(compgen -W "$verbs" -- "$word"))
  else
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -o filenames -F _skep skep
