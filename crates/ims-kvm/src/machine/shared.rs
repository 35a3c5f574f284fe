// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What vCPU threads and the machine's user both see: memory, the bus, and how far
//! each vCPU is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use super::exits::{Counts, Exits, Kind};
use super::mailbox::Mailbox;
use super::memory::Memory;
use super::{Bus, MachineError, Stopped};

/// How long a vCPU may take to come up; where KVM emulates, 500 of them take a
/// second.
const COMES_UP: Duration = Duration::from_secs(60);

/// What threads share.
pub(super) struct Shared {
    pub(super) memory: Memory,
    pub(super) bus: Arc<dyn Bus>,
    stopping: AtomicBool,
    cpus: Vec<Cpu>,
}

/// A vCPU as others see it.
#[derive(Debug, Default)]
struct Cpu {
    thread: OnceLock<ThreadId>,
    mailbox: Mailbox,
    progress: Mutex<Progress>,
    changed: Condvar,
    exits: Counts,
}

/// How far a vCPU is.
#[derive(Debug, Default)]
struct Progress {
    ready: bool,
    done: u64,
    stopped: Option<Stopped>,
}

impl Cpu {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress());
        self.changed.notify_all();
    }
}

impl Shared {
    pub(super) fn new(memory: Memory, bus: Arc<dyn Bus>, vcpus: u32) -> Self {
        Self {
            memory,
            bus,
            stopping: AtomicBool::new(false),
            cpus: (0..vcpus).map(|_| Cpu::default()).collect(),
        }
    }

    fn cpu(&self, cpu: u32) -> Option<&Cpu> {
        self.cpus.get(usize::try_from(cpu).ok()?)
    }

    fn change(&self, cpu: u32, change: impl FnOnce(&mut Progress)) {
        if let Some(cpu) = self.cpu(cpu) {
            cpu.change(change);
        }
    }

    /// All are to stop, and nobody waits for them any more.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for cpu in &self.cpus {
            // With the lock, or who is about to wait would not hear of it.
            cpu.change(|_| ());
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// The caller is the thread of a vCPU.
    pub(super) fn runs_here(&self, cpu: u32) {
        if let Some(cpu) = self.cpu(cpu) {
            cpu.thread.get_or_init(|| thread::current().id());
        }
    }

    /// Whether the caller is the thread of this vCPU.
    pub(super) fn is_own_thread(&self, cpu: u32) -> bool {
        let thread = self.cpu(cpu).and_then(|cpu| cpu.thread.get());
        thread == Some(&thread::current().id())
    }

    /// The vCPU idles.
    pub(super) fn ready(&self, cpu: u32) {
        self.change(cpu, |progress| progress.ready = true);
    }

    /// It has done this command.
    pub(super) fn done(&self, cpu: u32, command: u64) {
        self.change(cpu, |progress| progress.done = command);
    }

    /// It runs no more.
    pub(super) fn stopped(&self, cpu: u32, why: Stopped) {
        if why != Stopped::Ended {
            tracing::warn!(cpu, %why, "a vCPU stopped");
        }
        self.change(cpu, |progress| progress.stopped = Some(why));
    }

    /// Why it runs no more; `None` while it does.
    pub(super) fn why_stopped(&self, cpu: u32) -> Option<Stopped> {
        self.cpu(cpu)?.progress().stopped.clone()
    }

    pub(super) fn count(&self, cpu: u32, kind: Kind) {
        if let Some(cpu) = self.cpu(cpu) {
            cpu.exits.add(kind);
        }
    }

    pub(super) fn exits(&self, cpu: u32) -> Exits {
        self.cpu(cpu)
            .map(|cpu| cpu.exits.read())
            .unwrap_or_default()
    }

    /// Its mailbox.
    pub(super) fn mailbox(&self, cpu: u32) -> Option<&Mailbox> {
        self.cpu(cpu).map(|cpu| &cpu.mailbox)
    }

    /// Waits until the vCPU idles.
    pub(super) fn wait_ready(&self, number: u32) -> Result<(), MachineError> {
        let until = Instant::now() + COMES_UP;
        let Some(cpu) = self.cpu(number) else {
            return Err(self.no_such(number));
        };
        let mut progress = cpu.progress();
        loop {
            if progress.ready {
                return Ok(());
            }
            if let Some(why) = progress.stopped.clone() {
                return Err(MachineError::Stopped { cpu: number, why });
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let seconds = COMES_UP.as_secs();
                return Err(MachineError::NotReady {
                    cpu: number,
                    seconds,
                });
            }
            progress = cpu
                .changed
                .wait_timeout(progress, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits until the vCPU has done a command.
    pub(super) fn wait_done(&self, number: u32, command: u64) -> Result<(), MachineError> {
        let Some(cpu) = self.cpu(number) else {
            return Err(self.no_such(number));
        };
        let mut progress = cpu.progress();
        loop {
            if progress.done == command {
                return Ok(());
            }
            if let Some(why) = progress.stopped.clone() {
                return Err(MachineError::Stopped { cpu: number, why });
            }
            if self.is_stopping() {
                let why = Stopped::Ended;
                return Err(MachineError::Stopped { cpu: number, why });
            }
            progress = cpu
                .changed
                .wait(progress)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The error of a vCPU that is not.
    pub(super) fn no_such(&self, cpu: u32) -> MachineError {
        let vcpus = u32::try_from(self.cpus.len()).unwrap_or(u32::MAX);
        MachineError::NoSuchVcpu { cpu, vcpus }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("memory", &self.memory)
            .field("cpus", &self.cpus)
            .finish_non_exhaustive()
    }
}
