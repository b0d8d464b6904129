/*
 * Runs a command as on a processor without AVX-512, VNNI and AMX.
 *
 *   cc -O2 -o older-processor older-processor.c
 *   ./older-processor java -jar flink-layerskip.jar ...
 *
 * For Linux on x86-64, where cpuid can be made to fault (arch_prctl(2), ARCH_SET_CPUID; flag
 * cpuid_fault in /proc/cpuinfo). The command and what it starts are traced: where one asks with
 * cpuid what the processor has, the answer is the processor's own without these features.
 *
 * Ends as the command does; with 125 if cpuid cannot be made to fault.
 */
#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012
#define SYSCALL_INSTRUCTION 0x050f
#define CPUID_INSTRUCTION 0xa20f
#define TWO_BYTES 0xffffL

#define BIT(n) (1u << (n))

/* Leaf 7, sub-leaf 0: F DQ IFMA PF ER CD BW VL; VBMI VBMI2 VNNI BITALG VPOPCNTDQ; 4VNNIW 4FMAPS
 * VP2INTERSECT AMX-BF16 FP16 AMX-TILE AMX-INT8. */
#define AVX512_EBX \
    (BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31))
#define AVX512_ECX (BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
#define AVX512_EDX (BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25))

/* Leaf 7, sub-leaf 1: AVX-VNNI AVX512-BF16 AVX-IFMA; AVX-VNNI-INT8 AVX-NE-CONVERT
 * AVX-VNNI-INT16. */
#define NEWER_EAX (BIT(4) | BIT(5) | BIT(23))
#define NEWER_EDX (BIT(4) | BIT(5) | BIT(10))

static void step(pid_t pid) {
    int status;
    ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
    waitpid(pid, &status, __WALL);
}

/* Lets a process that has just begun a program call arch_prctl. */
static void let_cpuid_fault(pid_t pid) {
    struct user_regs_struct saved, call;
    ptrace(PTRACE_GETREGS, pid, 0, &saved);
    long code = ptrace(PTRACE_PEEKTEXT, pid, saved.rip, 0);
    ptrace(PTRACE_POKETEXT, pid, saved.rip, (code & ~TWO_BYTES) | SYSCALL_INSTRUCTION);
    step(pid); /* leaves execve */
    call = saved;
    call.orig_rax = -1;
    call.rax = SYS_arch_prctl;
    call.rdi = ARCH_SET_CPUID;
    call.rsi = 0;
    ptrace(PTRACE_SETREGS, pid, 0, &call);
    step(pid);
    ptrace(PTRACE_GETREGS, pid, 0, &call);
    if (call.rip != saved.rip + 2 || call.rax != 0) {
        fprintf(stderr, "cpuid cannot be made to fault here\n");
        exit(125);
    }
    ptrace(PTRACE_POKETEXT, pid, saved.rip, code);
    ptrace(PTRACE_SETREGS, pid, 0, &saved);
}

/* Returns whether the thread stands at a cpuid instruction, which then has been carried out. */
static int answer_cpuid(pid_t tid) {
    struct user_regs_struct regs;
    ptrace(PTRACE_GETREGS, tid, 0, &regs);
    errno = 0;
    long code = ptrace(PTRACE_PEEKTEXT, tid, regs.rip, 0);
    if (errno != 0 || (code & TWO_BYTES) != CPUID_INSTRUCTION) {
        return 0;
    }
    unsigned leaf = regs.rax, subleaf = regs.rcx, eax, ebx, ecx, edx;
    __cpuid_count(leaf, subleaf, eax, ebx, ecx, edx);
    if (leaf == 7 && subleaf == 0) {
        ebx &= ~AVX512_EBX;
        ecx &= ~AVX512_ECX;
        edx &= ~AVX512_EDX;
    } else if (leaf == 7 && subleaf == 1) {
        eax &= ~NEWER_EAX;
        edx &= ~NEWER_EDX;
    }
    regs.rax = eax;
    regs.rbx = ebx;
    regs.rcx = ecx;
    regs.rdx = edx;
    regs.rip += 2;
    ptrace(PTRACE_SETREGS, tid, 0, &regs);
    return 1;
}

/* The signal that a stopped thread shall go on with. */
static int signal_after(pid_t tid, int status) {
    int signal = WSTOPSIG(status);
    if (status >> 16 == PTRACE_EVENT_EXEC) {
        let_cpuid_fault(tid);
    }
    if (status >> 16 != 0 || signal == SIGTRAP || signal == SIGSTOP) {
        return 0;
    }
    return signal == SIGSEGV && answer_cpuid(tid) ? 0 : signal;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s COMMAND [ARGUMENT]...\n", argv[0]);
        return 2;
    }
    pid_t command = fork();
    if (command == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    int status;
    waitpid(command, &status, 0);
    ptrace(PTRACE_SETOPTIONS, command, 0,
           PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC
               | PTRACE_O_EXITKILL);
    ptrace(PTRACE_CONT, command, 0, 0);
    for (;;) {
        pid_t tid = waitpid(-1, &status, __WALL);
        if (tid < 0) {
            perror("waitpid");
            return 1;
        }
        if (WIFSTOPPED(status)) {
            ptrace(PTRACE_CONT, tid, 0, signal_after(tid, status));
        } else if (tid == command) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
    }
}
