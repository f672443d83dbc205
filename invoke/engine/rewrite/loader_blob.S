/* SPDX-License-Identifier: Apache-2.0 */
	.section .rodata
	.balign 16
	.globl scar_loader_blob
scar_loader_blob:
	.incbin SCAR_LOADER_PATH
	.globl scar_loader_blob_end
scar_loader_blob_end:
	.section .note.GNU-stack, "", %progbits
