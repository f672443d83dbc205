/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/handle.h"

void scar_context_guest(ucontext_t *context, const struct scar_regs *regs)
{
	greg_t *g = context->uc_mcontext.gregs;

	g[REG_RAX] = regs->nr;
	g[REG_RDI] = regs->arg[0];
	g[REG_RSI] = regs->arg[1];
	g[REG_RDX] = regs->arg[2];
	g[REG_R10] = regs->arg[3];
	g[REG_R8] = regs->arg[4];
	g[REG_R9] = regs->arg[5];
	g[REG_RSP] = (greg_t)regs->sp;
	g[REG_R15] = (greg_t)regs->kept[0];
	g[REG_R14] = (greg_t)regs->kept[1];
	g[REG_R13] = (greg_t)regs->kept[2];
	g[REG_R12] = (greg_t)regs->kept[3];
	g[REG_RBP] = (greg_t)regs->kept[4];
	g[REG_RBX] = (greg_t)regs->kept[5];
}
