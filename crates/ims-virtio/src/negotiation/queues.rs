// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registers of queues, and the queues that they make.

use virtio_queue::{Queue, QueueT};
use vm_memory::GuestMemory;

use crate::device::StartError;
use crate::memory::Memory;

/// The greatest size of a split queue. Source: virtio 1.3, 2.7.
const SIZE_LIMIT: u16 = 1 << 15;

/// Why no transport shows such a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// More queues than a driver can select.
    #[error("the device has {count} queues; give it 65535 at most")]
    Queues {
        /// How many it has.
        count: usize,
    },
    /// A queue of a size that no split queue has.
    #[error("queue {queue} is of size {size}; use a power of two up to 32768")]
    QueueSize {
        /// Which one.
        queue: u16,
        /// Its greatest size.
        size: u16,
    },
}

/// One of a queue's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Address {
    /// Descriptors.
    Desc,
    /// The driver's ring.
    Driver,
    /// The device's ring.
    Device,
}

/// Which 32 bits of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    /// Bits 31:0.
    Low,
    /// Bits 63:32.
    High,
}

/// Where a queue goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Positions {
    /// At the beginning.
    Begin,
    /// Where the device's ring says that it has used everything up to.
    Used,
}

/// What the driver wrote of one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Registers {
    pub(super) max: u16,
    pub(super) size: u32,
    pub(super) ready: bool,
    pub(super) desc: u64,
    pub(super) driver: u64,
    pub(super) device: u64,
}

impl Registers {
    fn new(max: u16) -> Self {
        Self {
            max,
            size: max.into(),
            ready: false,
            desc: 0,
            driver: 0,
            device: 0,
        }
    }

    fn address(&mut self, address: Address) -> &mut u64 {
        match address {
            Address::Desc => &mut self.desc,
            Address::Driver => &mut self.driver,
            Address::Device => &mut self.device,
        }
    }

    /// Whether there can be such a queue, wherever it is.
    pub(super) fn is_sound(&self) -> bool {
        self.size.is_power_of_two()
            && self.size <= u32::from(self.max)
            && self.desc.is_multiple_of(16)
            && self.driver.is_multiple_of(2)
            && self.device.is_multiple_of(4)
    }

    /// The queue, if it lies in `memory`.
    fn make<G: GuestMemory>(
        &self,
        memory: &G,
        event_idx: bool,
        positions: Positions,
    ) -> Option<Queue> {
        let state = virtio_queue::QueueState {
            max_size: self.max,
            next_avail: 0,
            next_used: 0,
            event_idx_enabled: event_idx,
            size: u16::try_from(self.size).ok()?,
            ready: true,
            desc_table: self.desc,
            avail_ring: self.driver,
            used_ring: self.device,
        };
        let mut queue = Queue::try_from(state).ok()?;
        if !queue.is_valid(memory) {
            return None;
        }
        if positions == Positions::Used {
            // Acquire: what the rings say of entries before it is there.
            let used = queue
                .used_idx(memory, std::sync::atomic::Ordering::Acquire)
                .ok()?;
            queue.set_next_used(used.0);
            queue.set_next_avail(used.0);
        }
        Some(queue)
    }
}

/// All queues, and which one the registers mean.
#[derive(Debug)]
pub(super) struct Queues {
    pub(super) sel: u32,
    all: Vec<Registers>,
}

impl Queues {
    pub(super) fn new(sizes: &[u16]) -> Result<Self, DeviceError> {
        if u16::try_from(sizes.len()).is_err() {
            let count = sizes.len();
            return Err(DeviceError::Queues { count });
        }
        for (queue, &size) in (0..).zip(sizes) {
            if !size.is_power_of_two() || size > SIZE_LIMIT {
                return Err(DeviceError::QueueSize { queue, size });
            }
        }
        let all = sizes.iter().map(|&max| Registers::new(max)).collect();
        Ok(Self { sel: 0, all })
    }

    pub(super) fn count(&self) -> u16 {
        u16::try_from(self.all.len()).unwrap_or(u16::MAX)
    }

    pub(super) fn selected(&self) -> Option<u16> {
        u16::try_from(self.sel).ok().filter(|&at| at < self.count())
    }

    fn get(&self) -> Option<&Registers> {
        self.all.get(usize::from(self.selected()?))
    }

    /// The selected queue's, while it is not ready.
    fn open(&mut self) -> Option<&mut Registers> {
        let at = usize::from(self.selected()?);
        self.all.get_mut(at).filter(|queue| !queue.ready)
    }

    pub(super) fn size_max(&self) -> u16 {
        self.get().map_or(0, |queue| queue.max)
    }

    pub(super) fn size(&self) -> u32 {
        self.get().map_or(0, |queue| queue.size)
    }

    pub(super) fn set_size(&mut self, size: u32) {
        if let Some(queue) = self.open() {
            queue.size = size;
        }
    }

    pub(super) fn ready(&self) -> bool {
        self.get().is_some_and(|queue| queue.ready)
    }

    pub(super) fn set_ready(&mut self, ready: bool) {
        let at = self.selected().map(usize::from);
        if let Some(queue) = at.and_then(|at| self.all.get_mut(at)) {
            queue.ready = ready && (queue.ready || queue.is_sound());
        }
    }

    pub(super) fn address(&self, address: Address) -> u64 {
        self.get().map_or(0, |&queue| {
            let mut queue = queue;
            *queue.address(address)
        })
    }

    pub(super) fn set_address(&mut self, address: Address, half: Half, bits: u32) {
        let Some(queue) = self.open() else { return };
        let address = queue.address(address);
        let low = u64::from(u32::MAX);
        *address = match half {
            Half::Low => *address & !low | u64::from(bits),
            Half::High => *address & low | u64::from(bits) << 32,
        };
    }

    pub(super) fn reset(&mut self) {
        self.sel = 0;
        for queue in &mut self.all {
            *queue = Registers::new(queue.max);
        }
    }

    pub(super) fn all(&self) -> &[Registers] {
        &self.all
    }

    pub(super) fn all_mut(&mut self) -> &mut [Registers] {
        &mut self.all
    }

    /// The queues that are ready, in memory as it is now.
    pub(super) fn make<M: Memory>(
        &self,
        memory: &M,
        event_idx: bool,
        positions: Positions,
    ) -> Result<Vec<Option<Queue>>, StartError> {
        let memory = memory.enter();
        let queues = (0..).zip(&self.all).map(|(number, queue)| {
            if !queue.ready {
                return Ok(None);
            }
            let made = memory
                .as_deref()
                .and_then(|memory| queue.make(memory, event_idx, positions));
            made.map(Some).ok_or(StartError::Rings { queue: number })
        });
        queues.collect()
    }
}
