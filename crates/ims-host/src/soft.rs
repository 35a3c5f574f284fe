// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Soft CPUs: threads that sleep on a posted descriptor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use ims::posted::Pending;
use ims::vector::CpuId;

use crate::cpu::{HostCpu, HostCpus};
use crate::error::HostError;
use crate::takes::Takes;

/// Stack of a soft CPU's thread, in bytes: handlers, and little else.
const STACK: usize = 256 << 10;

/// What a CPU's thread needs.
pub(crate) struct Runner {
    pub(crate) cpus: Arc<HostCpus>,
    /// Host-wide number.
    pub(crate) number: u32,
    /// Number in its space.
    pub(crate) local: CpuId,
    pub(crate) takes: Takes,
}

/// A running soft CPU. Dropping it stops and joins the thread.
pub(crate) struct Running {
    cpus: Arc<HostCpus>,
    number: u32,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Runner {
    /// Starts the CPU.
    pub(crate) fn start(self) -> Result<Running, HostError> {
        let (cpus, number) = (Arc::clone(&self.cpus), self.number);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name(format!("cpu{number}"))
            .stack_size(STACK)
            .spawn(move || self.run(&stopped))
            .map_err(|source| HostError::Thread {
                cpu: number,
                source,
            })?;
        if let Some(cpu) = cpus.get(number) {
            // A post that comes before this finds no thread to wake; the one
            // after it, and the wake below, make up for it.
            let _ = cpu.thread.set(thread.thread().clone());
            cpu.wake();
        }
        Ok(Running {
            cpus,
            number,
            stop,
            thread: Some(thread),
        })
    }

    fn run(&self, stop: &AtomicBool) {
        let Some(cpu) = self.cpus.get(self.number) else {
            return;
        };
        let counts = self.takes.counts(self.local);
        cpu.descriptor.suppress();
        while !stop.load(Ordering::Relaxed) {
            let taken = cpu.in_service.harvest_if_any(&cpu.descriptor);
            if !taken.is_empty() {
                self.handle(cpu, taken);
                continue;
            }
            match cpu.in_service.fall_asleep(&cpu.descriptor) {
                Some(taken) => self.handle(cpu, taken),
                None => {
                    if let Some(counts) = counts {
                        counts.slept.fetch_add(1, Ordering::Relaxed);
                    }
                    thread::park();
                    cpu.descriptor.suppress();
                }
            }
        }
    }

    fn handle(&self, cpu: &HostCpu, taken: Pending) {
        for vector in taken {
            self.takes.take(self.local, vector);
            cpu.in_service.end(vector);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(cpu) = self.cpus.get(self.number) {
            cpu.wake();
        }
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}
