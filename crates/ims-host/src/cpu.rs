// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Soft CPUs: threads that sleep on a posted descriptor.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle, Thread};

use ims::domain::{Dispatch, SpaceId};
use ims::message::{DeliveryMode, Destination};
use ims::posted::{Descriptor, Descriptors, InService, Notification, Pending};
use ims::segments::Segments;
use ims::sink::{Acceptance, Answer, CpuSink, Refusal};
use ims::vector::CpuId;

use crate::error::HostError;
use crate::handler::{Handlers, Taken};

/// The vector that tells a soft CPU to look at its descriptor: the one Linux
/// uses for it, a system vector that no interrupt is given.
const NOTIFICATION: u8 = 0xf2;

/// Stack of a soft CPU's thread, in bytes: handlers, and little else.
const STACK: usize = 256 << 10;

/// Bytes between descriptors, as far as their addresses go.
const STRIDE: u64 = 64;

/// One soft CPU, as everyone sees it. Its APIC id is its host-wide number.
#[derive(Default)]
pub(crate) struct SoftCpu {
    descriptor: Descriptor,
    in_service: InService,
    thread: OnceLock<Thread>,
    counts: CpuCounts,
}

/// What happened on one CPU; only its own thread counts.
#[derive(Default)]
pub(crate) struct CpuCounts {
    pub(crate) taken: AtomicU64,
    pub(crate) spurious: AtomicU64,
    pub(crate) panicked: AtomicU64,
    pub(crate) slept: AtomicU64,
}

/// All soft CPUs of a host, by host-wide number: where its remap units deliver.
#[derive(Default)]
pub struct SoftCpus {
    cpus: Segments<SoftCpu>,
}

impl SoftCpus {
    /// Makes room for CPUs below `count`.
    pub(crate) fn grow(&self, count: u32) {
        self.cpus.grow(count, |number| SoftCpu {
            descriptor: Descriptor::new(Notification {
                destination: number,
                vector: NOTIFICATION,
            }),
            ..SoftCpu::default()
        });
    }

    pub(crate) fn get(&self, number: u32) -> Option<&SoftCpu> {
        self.cpus.get(number)
    }

    /// What a remap entry names the descriptor of a CPU by.
    pub(crate) fn address(number: u32) -> u64 {
        u64::from(number) * STRIDE
    }
}

impl SoftCpu {
    /// Whether nothing posted to `vector` is pending or being handled.
    pub(crate) fn is_quiet(&self, vector: u8) -> bool {
        self.in_service.is_quiet(&self.descriptor, vector)
    }

    pub(crate) fn counts(&self) -> &CpuCounts {
        &self.counts
    }

    /// Wakes the CPU, or keeps it from falling asleep.
    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

impl Descriptors for SoftCpus {
    #[inline]
    fn descriptor(&self, address: u64) -> Option<&Descriptor> {
        let number = u32::try_from(address / STRIDE).ok()?;
        self.cpus.get(number).map(|cpu| &cpu.descriptor)
    }
}

impl CpuSink for SoftCpus {
    fn deliver(&self, destination: Destination, vector: u8, mode: DeliveryMode) -> Answer {
        let fixed = matches!(mode, DeliveryMode::Fixed | DeliveryMode::LowestPriority);
        if destination.logical || !fixed {
            return Answer::Refused(Refusal::Mode);
        }
        let Some(cpu) = self.cpus.get(destination.id) else {
            return Answer::Refused(Refusal::NoSuchCpu);
        };
        if vector == NOTIFICATION {
            cpu.wake();
            return Answer::Accepted(Acceptance::Fresh);
        }
        let posted = cpu.descriptor.post(vector, false);
        if posted.notify.is_some() {
            cpu.wake();
        }
        Answer::Accepted(if posted.coalesced {
            Acceptance::Coalesced
        } else {
            Acceptance::Fresh
        })
    }
}

/// What a CPU's thread needs.
pub(crate) struct Runner {
    pub(crate) cpus: Arc<SoftCpus>,
    /// Host-wide number.
    pub(crate) number: u32,
    pub(crate) space: SpaceId,
    /// Number in its space.
    pub(crate) local: CpuId,
    pub(crate) dispatch: Dispatch,
    pub(crate) handlers: Arc<Handlers>,
}

/// A running soft CPU. Dropping it stops and joins the thread.
pub(crate) struct Running {
    cpus: Arc<SoftCpus>,
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
                    cpu.counts.slept.fetch_add(1, Ordering::Relaxed);
                    thread::park();
                    cpu.descriptor.suppress();
                }
            }
        }
    }

    fn handle(&self, cpu: &SoftCpu, taken: Pending) {
        for vector in taken {
            let called = self.dispatch.virq(self.local, vector).is_some_and(|virq| {
                let taken = Taken {
                    virq,
                    space: self.space,
                    cpu: self.local,
                    vector,
                };
                // Whatever a handler does, the CPU must finish with the vector.
                catch_unwind(AssertUnwindSafe(|| self.handlers.call(taken))).unwrap_or_else(|_| {
                    cpu.counts.panicked.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(virq = virq.0, "interrupt handler panicked");
                    true
                })
            });
            let count = if called {
                &cpu.counts.taken
            } else {
                &cpu.counts.spurious
            };
            count.fetch_add(1, Ordering::Relaxed);
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
