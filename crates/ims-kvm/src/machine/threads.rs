// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Threads of vCPUs, and how they are got out of the kernel.

use std::ffi::{c_int, c_void};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use kvm_ioctls::VcpuFd;
use vmm_sys_util::signal::{Killable, SIGRTMIN, register_signal_handler};

use super::shared::Shared;
use super::{MachineError, vcpu};

/// The first real-time signal: interrupts `KVM_RUN`, else nothing.
fn kick_signal() -> c_int {
    SIGRTMIN()
}

/// How long until threads that may have missed it are signalled again.
const AGAIN: Duration = Duration::from_millis(1);

extern "C" fn nothing(_: c_int, _: *mut libc::siginfo_t, _: *mut c_void) {}

/// The threads of a machine, a vCPU each.
#[derive(Debug, Default)]
pub(super) struct Threads {
    vcpus: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Starts the next vCPU.
    pub(super) fn start(
        &mut self,
        shared: &Arc<Shared>,
        cpu: u32,
        fd: VcpuFd,
    ) -> Result<(), MachineError> {
        // A signal without a handler would end the process. All machines have the
        // same, and to install it again changes nothing.
        register_signal_handler(kick_signal(), nothing)
            .map_err(|error| MachineError::Thread(error.into()))?;
        let of_thread = Arc::clone(shared);
        let thread = thread::Builder::new()
            .name(format!("vcpu{cpu}"))
            .spawn(move || vcpu::run(&of_thread, cpu, fd))
            .map_err(MachineError::Thread)?;
        self.vcpus.push(thread);
        Ok(())
    }

    /// Stops these vCPUs and waits for them, except for the caller's own: that ends
    /// when it is back from the bus.
    pub(super) fn stop(self, shared: &Shared) {
        shared.stop();
        let others = self.vcpus.into_iter().filter(|thread| !is_caller(thread));
        let others: Vec<_> = others.collect();
        // A thread that looked whether to stop before, and enters the kernel after
        // the signal, has missed it.
        while others.iter().any(|thread| !thread.is_finished()) {
            for thread in others.iter().filter(|thread| !thread.is_finished()) {
                kick(thread);
            }
            thread::sleep(AGAIN);
        }
        for thread in others {
            if thread.join().is_err() {
                tracing::error!("a vCPU's thread panicked");
            }
        }
    }
}

fn is_caller(thread: &JoinHandle<()>) -> bool {
    thread.thread().id() == thread::current().id()
}

fn kick(thread: &JoinHandle<()>) {
    if let Err(error) = thread.kill(kick_signal()) {
        tracing::warn!(error = %io::Error::from(error), "a vCPU's thread took no signal");
    }
}
