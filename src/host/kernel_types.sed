# Of clang's assembly for bpf, the section with the BTF, for the assembler of this machine. Run with -n.
1i\
	.section .rodata\
	.balign 8\
	.hidden skep_kernel_types, skep_kernel_types_end\
	.globl skep_kernel_types, skep_kernel_types_end\
skep_kernel_types:
/\.section[[:space:]]*\.BTF,/,/\.section[[:space:]]*\.BTF\.ext/ {
  /\.section/d
  s/^\(.*"\)[[:space:]]*#.*/\1/
  /\.ascii/!s/#.*//
  p
}
$a\
skep_kernel_types_end:\
	.section .note.GNU-stack,"",%progbits
