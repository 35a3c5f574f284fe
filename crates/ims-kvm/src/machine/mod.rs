// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A VM small enough to take an interrupt: memory, vCPUs, an in-kernel APIC each,
//! and a payload that installs handlers for all vectors, counts, acknowledges and
//! idles.
//!
//! ```text
//!    host                                       guest, on each vCPU
//!    post(source): its bit in guest memory      handler of a vector:
//!    then the interrupt, any way             ──▶  takes the words of bits it scans
//!                                                 counts each source it found
//!    taken(source), interrupts(cpu, vector)  ◀──  counts itself, ends the interrupt
//! ```
//!
//! KVM does not tell what it coalesced, so the bit is what counts: a source whose
//! bit was set anew is counted once by the guest, whatever became of the messages.

mod bus;
mod config;
mod descriptors;
mod error;
mod exits;
mod irqchip;
mod layout;
mod mailbox;
mod memory;
mod paging;
mod payload;
mod pin;
mod shared;
mod sources;
mod statistics;
#[cfg(all(test, not(loom)))]
mod tests;
mod threads;
mod vcpu;

use std::fs::File;
use std::ops::{Range, RangeInclusive};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ims::message::{Addressing, Compatibility, DeliveryMode, Destination, Message, Trigger};
use kvm_ioctls::VmFd;
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

pub use bus::Bus;
pub use config::{Config, Irqchip};
pub use error::{MachineError, Stopped};
pub use exits::Exits;
pub use pin::Pin;
pub use statistics::Statistics;

use crate::kvm_message::Composer;
use crate::signal::Signal;
use layout::Layout;
use memory::Memory;
use payload::Payload;
use shared::Shared;
use threads::Threads;

/// The vectors whose handlers count: what a device may use. Lower ones are the
/// machine's own and the CPU's exceptions.
pub const VECTORS: RangeInclusive<u8> = payload::COMMAND_VECTOR + 1..=255;

/// Addresses where the guest has no memory, and its accesses reach [`Bus`].
pub const MMIO: Range<u64> = layout::MMIO;

/// A running machine. Dropping it stops its vCPUs.
///
/// Do not keep one in its own [`Bus`]: it would never be dropped.
///
/// # Concurrency
/// All methods may be called from any thread, also from [`Bus`], where
/// [`Machine::guest_write`] and [`Machine::guest_read`] work on other vCPUs only.
#[derive(Debug)]
pub struct Machine {
    config: Config,
    layout: Layout,
    vm: Arc<VmFd>,
    signal: Signal,
    shared: Arc<Shared>,
    /// Handlers that acknowledge, by vector.
    acknowledging: Box<[u64; 256]>,
    statistics: Vec<Option<Statistics>>,
    threads: Mutex<Threads>,
}

impl Machine {
    /// Makes the machine and starts its vCPUs; they idle when this returns.
    ///
    /// To stop vCPUs their threads are sent the first real-time signal
    /// (`SIGRTMIN`), whose handler in the process is from then on one that does
    /// nothing.
    ///
    /// # Errors
    /// [`MachineError`].
    pub fn start(config: Config, bus: Arc<dyn Bus>) -> Result<Self, MachineError> {
        let layout = Layout::new(&config)?;
        let payload = Payload::new(&layout, config.x2apic, config.notify)?;
        let (vm, cpuid) = irqchip::make(&config)?;
        let memory = Memory::new(Arc::clone(&vm), layout.end)?;
        load(&memory, &layout, &payload, &config)?;
        let composer = Composer {
            addressing: config.addressing(),
            device_ids: false,
        };
        let mut machine = Self {
            config,
            layout,
            signal: Signal::new(Arc::clone(&vm), composer),
            vm,
            shared: Arc::new(Shared::new(memory, bus, config.vcpus)),
            acknowledging: Box::new(payload.acknowledging),
            statistics: Vec::new(),
            threads: Mutex::default(),
        };
        for cpu in 0..config.vcpus {
            let (vm, entry) = (&machine.vm, payload.entry);
            let vcpu = vcpu::make(vm, cpu, &cpuid, config.x2apic, entry)?;
            // Without them a machine is as good.
            machine.statistics.push(Statistics::open(&vcpu).ok());
            machine.threads().start(&machine.shared, cpu, vcpu)?;
        }
        for cpu in 0..config.vcpus {
            machine.shared.wait_ready(cpu)?;
        }
        Ok(machine)
    }

    /// Stops all vCPUs, and returns when none of them runs or is in [`Bus`]; a second
    /// call does not wait for a first. Counts can still be read.
    pub fn stop(&self) {
        // Without the lock: a vCPU's thread may call this, too, and would wait for us.
        let threads = std::mem::take(&mut *self.threads());
        threads.stop(&self.shared);
    }

    /// Its VM.
    pub fn vm(&self) -> &Arc<VmFd> {
        &self.vm
    }

    /// What it was made of.
    pub fn config(&self) -> Config {
        self.config
    }

    /// All of its memory: one file, which other processes may map.
    pub fn memory(&self) -> &GuestMemoryMmap<()> {
        self.shared.memory.all()
    }

    /// The file its memory is; offsets are guest addresses.
    pub fn memory_file(&self) -> &File {
        self.shared.memory.file()
    }

    /// Where in it the words of pending bits begin, 8 bytes each: who shares the
    /// memory may set bits as [`Machine::post`] does.
    pub fn words_memory(&self) -> u64 {
        self.layout.words_at
    }

    /// Where in it the user's own bytes begin ([`Config::memory`]); on 2 MiB.
    pub fn own_memory(&self) -> u64 {
        self.layout.own
    }

    /// Which destinations its messages have: 32 bits in x2APIC mode, else 8.
    pub fn addressing(&self) -> Addressing {
        self.config.addressing()
    }

    /// The APIC id of vCPU `cpu`.
    pub fn apic_id(&self, cpu: u32) -> u32 {
        cpu
    }

    /// The message for `vector` of vCPU `cpu`, as the guest writes it.
    ///
    /// There is one for any number; KVM refuses that of a vCPU that is not.
    pub fn message(&self, cpu: u32, vector: u8) -> Message {
        let message = Compatibility {
            destination: Destination {
                id: self.apic_id(cpu),
                logical: false,
                redirection_hint: false,
            },
            delivery: DeliveryMode::Fixed,
            trigger: Trigger::Edge,
            vector,
        };
        message
            .encode(self.addressing())
            // Not for a vCPU there is. With 32 bits there always is a message, and
            // who sends it with 8 is told that it has too many.
            .or_else(|_| message.encode(Addressing::X2apic))
            .unwrap_or_default()
    }

    /// How often `cpu` came out of the kernel.
    pub fn exits(&self, cpu: u32) -> Exits {
        self.shared.exits(cpu)
    }

    /// What KVM itself counts of `cpu`; `None` if this kernel does not say.
    pub fn statistics(&self, cpu: u32) -> Option<&Statistics> {
        self.statistics.get(usize::try_from(cpu).ok()?)?.as_ref()
    }

    /// Why `cpu` runs no more; `None` while it does.
    pub fn stopped(&self, cpu: u32) -> Option<Stopped> {
        self.shared.why_stopped(cpu)
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Puts tables and code where the vCPUs look for them.
fn load(
    memory: &Memory,
    layout: &Layout,
    payload: &Payload,
    config: &Config,
) -> Result<(), MachineError> {
    paging::write(memory, layout, config.x2apic);
    descriptors::write(memory, &payload.gates);
    memory
        .all()
        .write_slice(&payload.code, GuestAddress(layout::CODE))
        .map_err(|error| MachineError::Memory {
            bytes: layout.end,
            error: std::io::Error::other(error),
        })
}
