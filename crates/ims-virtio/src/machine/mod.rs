// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A virtio device on the small KVM machine: for tests, benchmarks and demonstrations.
//!
//! ```text
//!   guest code            accesses ──▶ Bus ──▶ Mmio or Pci ──▶ Device
//!                                                                │ Notifier
//!   handler takes the  ◀── its bit, in guest memory ◀── Posting ─┤
//!   queue's bit, counts ◀── message by KVM_SIGNAL_MSI, or pin ◀──┘
//! ```
//!
//! The bit of a queue is set before its interrupt is sent, so that posts and takes
//! are equal if and only if no interrupt is lost, whatever KVM coalesces.

mod error;
mod function;
mod posting;
mod transport;
mod wires;

use std::sync::Arc;

use ims::message::RequesterId;
use ims_kvm::machine::{Config, Irqchip, MMIO, Machine, Pin};
use ims_kvm::{Composer, Signal};
use vm_memory::GuestMemoryMmap;

use crate::device::Device;
use crate::interrupts::msi::Offer as MsiOffer;
use crate::layout::{mmio, msi};
use crate::line::Line;
use crate::mmio::{Mmio, MmioOptions};
use crate::vis::Offer as VisOffer;
pub use error::BoardError;
use function::Function;
use posting::{Posting, Posts};
pub use transport::Transport;
use wires::{Registers, Wires};

/// Memory of the machine.
pub type BoardMemory = Arc<GuestMemoryMmap<()>>;

/// The pin of the single interrupt: one that goes to the I/O APIC alone.
pub const PIN: u8 = 20;

/// Where MSI-X table and pending bits are, BAR 1.
const TABLE: u64 = MMIO.start + wires::TABLE;
/// Where a function's configuration space is.
const CONFIGURATION: u64 = MMIO.start + wires::CONFIGURATION;

/// The board's MSI: today's virtio, and no offset of its own for each notification.
pub const MSI: msi::Layout = msi::Layout::CLEAR;

/// What a board is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What carries the device.
    pub transport: Transport,
    /// vCPUs.
    pub vcpus: u32,
    /// Bytes of memory for the driver.
    pub memory: u64,
}

/// A running machine with one device.
#[derive(Debug)]
pub struct Board {
    machine: Machine,
    transport: Transport,
    queues: u16,
    memory: BoardMemory,
    wires: Arc<Wires>,
    posts: Arc<Posts>,
}

impl Board {
    /// Starts a machine and puts `device` on it, in reset state, with a vector for
    /// each queue and one for changes of configuration.
    ///
    /// # Errors
    /// [`BoardError`].
    pub fn start<D: Device<BoardMemory>>(
        options: Options,
        device: Arc<D>,
    ) -> Result<Self, BoardError> {
        let queues = u16::try_from(device.queues().len()).unwrap_or(u16::MAX);
        let wires = Arc::new(Wires::default());
        let config = Config {
            vcpus: options.vcpus,
            irqchip: Irqchip::InKernel,
            x2apic: false,
            words: u32::from(queues) + 1,
            memory: options.memory,
            notify: false,
        };
        let machine = Machine::start(config, wires.clone())?;
        let memory = Arc::new(machine.memory().clone());
        let posts = Arc::new(Posts::new(
            Arc::clone(&memory),
            machine.words_memory(),
            queues,
        ));
        let device = Arc::new(Posting::new(device, Arc::clone(&posts)));
        let composer = Composer {
            addressing: machine.addressing(),
            device_ids: false,
        };
        let signal = Signal::new(Arc::clone(machine.vm()), composer);
        let pin = machine.pin(PIN)?;
        let vectors = u32::from(queues) + 1;
        let registers: Box<dyn Registers> = match options.transport {
            Transport::Pci => {
                let vectors = queues.saturating_add(1);
                Box::new(Function::new(
                    device,
                    Arc::clone(&memory),
                    signal,
                    pin,
                    vectors,
                )?)
            }
            transport => {
                let msi = (transport == Transport::Msi).then_some(MsiOffer {
                    layout: MSI,
                    vectors,
                    sharing: true,
                    notification: None,
                });
                let vis = (transport == Transport::Vis).then_some(VisOffer { vectors });
                let options = MmioOptions {
                    requester: RequesterId(0),
                    msi,
                    vis,
                    ..MmioOptions::default()
                };
                let memory = Arc::clone(&memory);
                Box::new(Mmio::new(device, memory, signal, pin, options)?)
            }
        };
        wires.connect(registers);
        Ok(Self {
            machine,
            transport: options.transport,
            queues,
            memory,
            wires,
            posts,
        })
    }

    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What carries the device.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// How many queues the device has.
    pub fn queues(&self) -> u16 {
        self.queues
    }

    /// All of the guest's memory. The driver's part begins at
    /// [`Machine::own_memory`].
    pub fn memory(&self) -> &BoardMemory {
        &self.memory
    }

    /// The guest address of byte `offset` of a BAR: 0 is the register block, 1 the
    /// MSI-X table of a function. `None` for other BARs.
    pub fn bar(&self, bar: u8, offset: u64) -> Option<u64> {
        let base = match bar {
            0 => MMIO.start,
            1 => TABLE,
            _ => return None,
        };
        base.checked_add(offset)
    }

    /// The guest address of a function's configuration space.
    pub fn configuration(&self, offset: u16) -> u64 {
        CONFIGURATION + u64::from(offset)
    }

    /// The source whose bit says that `queue` has something; that of changes of
    /// configuration is the one behind the last queue's.
    pub fn source(&self, queue: u16) -> u32 {
        u32::from(queue) * 64
    }

    /// From now on the handler of `vector` on `cpu` takes what is told of `queue`.
    pub fn takes(&self, cpu: u32, vector: u8, queue: u16) {
        self.machine.scan(cpu, vector, queue.into(), 1);
    }

    /// From now on the handler of `vector` on every vCPU is that of the single
    /// interrupt: acknowledges, and takes what is told of all queues.
    pub fn takes_all(&self, vector: u8) {
        let status = MMIO.start + mmio::INTERRUPT_STATUS;
        self.machine.acknowledges(vector, status);
        for cpu in 0..self.machine.config().vcpus {
            self.machine
                .scan(cpu, vector, 0, u32::from(self.queues) + 1);
        }
    }

    /// How often `queue` was told anew: as often as its source is taken, once all
    /// interrupts have been.
    pub fn posted(&self, queue: u16) -> u64 {
        self.posts.count(queue)
    }

    /// How often the status of the single interrupt read as zero: handlers that KVM
    /// ran for a level that had been taken back.
    pub fn spurious(&self) -> u64 {
        self.wires.spurious()
    }
}

impl Line for Pin {
    fn set(&self, asserted: bool) {
        if let Err(error) = Self::set(self, asserted) {
            tracing::error!(%error, "a pin did not follow its device");
        }
    }
}
