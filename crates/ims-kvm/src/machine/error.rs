// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why there is no machine, and why a vCPU runs no more.

use std::io;

/// Why there is no machine, or why it stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MachineError {
    /// KVM cannot be used.
    #[error("/dev/kvm: {0}; the user must be able to read and write it")]
    NoKvm(#[source] io::Error),
    /// KVM of this machine lacks something.
    #[error("KVM has no {what}; use a newer kernel, or a machine without it")]
    Lacks {
        /// The capability.
        what: &'static str,
    },
    /// More vCPUs than there can be, or none.
    #[error("{vcpus} vCPUs; 1 to {limit} are possible here, above 255 only with x2APIC")]
    Vcpus {
        /// How many were asked for.
        vcpus: u32,
        /// How many there may be.
        limit: u32,
    },
    /// The counts of sources do not fit.
    #[error("{words} words of sources need more than 2 GiB of counts; ask for fewer")]
    TooManyWords {
        /// How many were asked for.
        words: u32,
    },
    /// The user's memory does not fit.
    #[error("{bytes} bytes of memory; there is room for {limit}")]
    TooMuchMemory {
        /// How many were asked for.
        bytes: u64,
        /// How many fit.
        limit: u64,
    },
    /// The memory could not be had.
    #[error("no {bytes} bytes of guest memory: {error}")]
    Memory {
        /// How many were asked for.
        bytes: u64,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// KVM refused a call.
    #[error("{call}: {error}")]
    Kvm {
        /// The call.
        call: &'static str,
        /// What KVM said.
        #[source]
        error: io::Error,
    },
    /// The guest's code could not be assembled.
    #[error("the guest's code cannot be assembled ({0}); report it")]
    Payload(String),
    /// A vCPU has no thread, or its thread cannot be interrupted.
    #[error("no thread for a vCPU ({0}); raise the limit of processes")]
    Thread(#[source] io::Error),
    /// A vCPU did not come up.
    #[error("vCPU {cpu} did not come up in {seconds} s; KVM does not run its code")]
    NotReady {
        /// The vCPU.
        cpu: u32,
        /// How long it had.
        seconds: u64,
    },
    /// There is no such vCPU.
    #[error("no vCPU {cpu}; there are {vcpus}")]
    NoSuchVcpu {
        /// The one asked for.
        cpu: u32,
        /// How many there are.
        vcpus: u32,
    },
    /// There is no such pin, or the I/O APIC is not in the kernel.
    #[error("no pin {pin} in the kernel; there are 24, with `Irqchip::InKernel`")]
    NoSuchPin {
        /// The one asked for.
        pin: u8,
    },
    /// The interrupt of a pin does not end, and cannot be moved before.
    #[error("the interrupt of pin {pin} does not end; its handler must acknowledge it")]
    PinBusy {
        /// The pin.
        pin: u8,
    },
    /// An access of a width that no instruction has.
    #[error("an access of {bytes} bytes; 1, 2, 4 and 8 are possible")]
    Width {
        /// The width asked for.
        bytes: u8,
    },
    /// The vCPU's own thread asked: it cannot wait for itself.
    #[error("vCPU {cpu} cannot wait for itself; ask from outside of `Bus`")]
    OwnThread {
        /// The vCPU.
        cpu: u32,
    },
    /// No APIC took the signal: guest code turned it off.
    #[error("the APIC of vCPU {cpu} takes no interrupts; it must stay enabled")]
    Unreachable {
        /// The vCPU.
        cpu: u32,
    },
    /// The vCPU has stopped.
    #[error("vCPU {cpu} has stopped: {why}")]
    Stopped {
        /// The vCPU.
        cpu: u32,
        /// Why.
        #[source]
        why: Stopped,
    },
}

/// Why a vCPU runs no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stopped {
    /// The machine was stopped.
    #[error("the machine was stopped")]
    Ended,
    /// An exception in guest code.
    #[error("exception {vector} (code {code:#x}) at {rip:#x}, last page fault at {address:#x}")]
    Exception {
        /// Its vector, 0 to 31.
        vector: u8,
        /// Its error code; 0 if it has none.
        code: u64,
        /// Where it happened.
        rip: u64,
        /// CR2: what a page fault could not reach.
        address: u64,
    },
    /// KVM left the guest for good: a triple fault, an instruction it cannot
    /// emulate, a failed entry.
    #[error("KVM cannot run it: {exit}")]
    Exit {
        /// The exit.
        exit: String,
    },
    /// `KVM_RUN` failed.
    #[error("KVM_RUN: {0}; see the kernel's log")]
    Run(vmm_sys_util::errno::Error),
    /// [`super::Bus`] panicked.
    #[error("the bus panicked; its message is on standard error")]
    Panicked,
}

/// The error of a call that KVM refused.
pub(super) fn kvm_error(
    call: &'static str,
) -> impl Fn(vmm_sys_util::errno::Error) -> MachineError + Copy {
    move |error| MachineError::Kvm {
        call,
        error: error.into(),
    }
}
