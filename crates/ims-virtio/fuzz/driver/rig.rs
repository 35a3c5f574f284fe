// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device behind one of the transports, and what must be true of it at any time.

mod orderly;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ims_vfio::Hold;
use ims_virtio::layout::msi::{Layout, Notification};
use ims_virtio::layout::{mmio, pci, status};
use ims_virtio::mmio::{Mmio, MmioOptions, Mode, msi};
use ims_virtio::pci::Pci;
use ims_virtio::{Event, Notifier};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::Summary;
use super::device::{Inbox, Pin, Raised, Shared, Watched};

type Memory = Arc<GuestMemoryMmap<()>>;

const BYTES: usize = 1 << 18;

enum Transport {
    Mmio(Box<Mmio<Memory, Watched, Arc<Inbox>, Arc<Pin>>>),
    Pci(Pci<Memory, Watched, Shared, Arc<Pin>>),
}

pub(crate) struct Rig {
    options: MmioOptions,
    transport: Transport,
    device: Arc<Watched>,
    memory: Memory,
    inbox: Arc<Inbox>,
    raised: Arc<Raised>,
    pin: Arc<Pin>,
    starts: usize,
    restored: usize,
}

fn options(kind: u8) -> MmioOptions {
    let offer = |layout, sharing, notification| {
        Some(msi::Offer {
            layout,
            vectors: 4,
            sharing,
            notification,
        })
    };
    let (base, multiplier) = (0x1000, 4);
    let notification = Some(Notification { base, multiplier });
    let storage = Some(ims_virtio::vis::Offer { vectors: 4 });
    let (msi, vis) = match kind {
        0 | 6 => (None, None),
        1 => (offer(Layout::KERNEL, false, None), None),
        2 => (offer(Layout::TEXT, true, None), None),
        3 => (offer(Layout::CLEAR, true, notification), None),
        4 => (None, storage),
        _ => (offer(Layout::CLEAR, false, notification), storage),
    };
    MmioOptions {
        msi,
        vis,
        ..MmioOptions::default()
    }
}

impl Rig {
    pub(crate) fn new(kind: u8) -> Self {
        let device = Arc::new(Watched::default());
        let memory = GuestMemoryMmap::from_ranges(&[(GuestAddress(0), BYTES)]).unwrap();
        let memory = Arc::new(memory);
        let (inbox, raised) = (Arc::<Inbox>::default(), Arc::<Raised>::default());
        let pin = Arc::<Pin>::default();
        let options = options(kind % 7);
        let transport = if kind % 7 == 6 {
            let vectors = Shared(raised.clone());
            Transport::Pci(Pci::new(device.clone(), memory.clone(), vectors, pin.clone()).unwrap())
        } else {
            let mmio = Mmio::new(
                device.clone(),
                memory.clone(),
                inbox.clone(),
                pin.clone(),
                options,
            );
            Transport::Mmio(Box::new(mmio.unwrap()))
        };
        Self {
            options,
            transport,
            device,
            memory,
            inbox,
            raised,
            pin,
            starts: 0,
            restored: 0,
        }
    }

    /// 16 bits of offset, some of them far away.
    pub(crate) fn far(&self, offset: u16) -> u64 {
        match offset {
            0xff00.. => u64::MAX - u64::from(0xffff - offset),
            offset => offset.into(),
        }
    }

    pub(crate) fn read(&self, offset: u64, into: &mut [u8]) {
        match &self.transport {
            Transport::Mmio(mmio) => mmio.read(offset, into),
            Transport::Pci(pci) => pci.read(offset, into),
        }
    }

    pub(crate) fn write(&self, offset: u64, from: &[u8]) {
        match &self.transport {
            Transport::Mmio(mmio) => mmio.write(offset, from),
            Transport::Pci(pci) => pci.write(offset, from),
        }
    }

    fn put(&self, offset: u64, value: u32) {
        self.write(offset, &value.to_le_bytes());
    }

    fn get(&self, offset: u64) -> u32 {
        let mut bytes = [0; 4];
        self.read(offset, &mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn notifier(&self) -> Option<Notifier> {
        match &self.transport {
            Transport::Mmio(mmio) => Some(mmio.notifier()),
            Transport::Pci(_) => self.device.notifier(),
        }
    }

    fn tell(&self, event: Event) {
        let Some(notifier) = self.notifier() else {
            return;
        };
        match event {
            Event::Used(queue) => notifier.used(queue),
            Event::Config => notifier.config_changed(),
        }
    }

    pub(crate) fn used(&self, queue: u16) {
        self.tell(Event::Used(queue));
    }

    pub(crate) fn config_changed(&self) {
        self.tell(Event::Config);
    }

    pub(crate) fn poke(&self, at: u64, value: u32) {
        let _ = self.memory.write_obj(value, GuestAddress(at));
    }

    pub(crate) fn let_go(&self) {
        self.device.let_go();
    }

    fn status(&self) -> u32 {
        match self.transport {
            Transport::Mmio(_) => self.get(mmio::STATUS),
            Transport::Pci(_) => {
                let mut byte = [0];
                self.read(pci::common::DEVICE_STATUS, &mut byte);
                byte[0].into()
            }
        }
    }

    fn set_status(&self, value: u8) {
        match self.transport {
            Transport::Mmio(_) => self.put(mmio::STATUS, value.into()),
            Transport::Pci(_) => self.write(pci::common::DEVICE_STATUS, &[value]),
        }
    }

    pub(crate) fn reset(&self) {
        match &self.transport {
            Transport::Mmio(mmio) => mmio.reset(Hold::nobody()),
            Transport::Pci(pci) => pci.reset(Hold::nobody()),
        }
    }

    pub(crate) fn set_msix(&self, enabled: bool) {
        if let Transport::Pci(pci) = &self.transport {
            pci.set_msix_enabled(enabled);
        }
    }

    /// Goes on with another device that has the state of this one.
    pub(crate) fn save(&mut self) {
        let Transport::Mmio(mmio) = &self.transport else {
            return;
        };
        let state = mmio.save();
        let device = Arc::new(Watched::default());
        let pin = Arc::<Pin>::default();
        let other = Mmio::new(
            device.clone(),
            self.memory.clone(),
            self.inbox.clone(),
            pin.clone(),
            self.options,
        );
        let other = other.unwrap();
        other.restore(&state).unwrap();
        let restored = other.save();
        // Rings and area may have gone since.
        assert_eq!(restored.mode, state.mode);
        assert_eq!(restored.negotiation.queues, state.negotiation.queues);
        self.device.let_go();
        self.starts += self.device.starts.load(Ordering::Relaxed);
        self.restored += 1;
        self.transport = Transport::Mmio(Box::new(other));
        (self.device, self.pin) = (device, pin);
    }

    /// What no driver can bring about.
    pub(crate) fn check(&self) {
        let known = 15 | status::NEEDS_RESET | status::FAILED;
        let status = self.status();
        assert_eq!(status & !known, 0);
        assert!(status & status::DRIVER_OK == 0 || status & status::FEATURES_OK != 0);
        let high = self.pin.high.load(Ordering::Relaxed);
        match &self.transport {
            Transport::Mmio(device) => {
                let interrupt = self.get(mmio::INTERRUPT_STATUS);
                assert_eq!(interrupt & !3, 0);
                assert_eq!(high, interrupt != 0);
                assert!(interrupt == 0 || device.mode() == Mode::Line);
                assert!(interrupt == 0 || status & status::DRIVER_OK != 0);
                let accepted = device.mode() == Mode::Line || status & status::FEATURES_OK != 0;
                assert!(accepted, "messages without their feature");
            }
            // Looking at its status takes it.
            Transport::Pci(_) => {}
        }
    }

    /// Whatever was done: after a reset an orderly driver finds a sound device.
    pub(crate) fn end(&self, summary: &mut Summary) {
        let gone = Arc::new(AtomicBool::new(false));
        let hold = Hold::new({
            let gone = gone.clone();
            move || gone.store(true, Ordering::Relaxed)
        });
        match &self.transport {
            Transport::Mmio(mmio) => mmio.reset(hold),
            Transport::Pci(pci) => pci.reset(hold),
        }
        self.device.let_go();
        assert!(gone.load(Ordering::Relaxed));
        assert_eq!(self.status(), 0);
        assert!(!self.pin.high.load(Ordering::Relaxed));
        // Whatever is in the rings' place is the driver's affair.
        self.set_msix(false);
        self.go();
        assert_eq!(self.status(), 15);
        if let Some(notifier) = self.notifier() {
            notifier.used(0);
            assert!(self.pin.high.load(Ordering::Relaxed));
            if self.options.vis.is_some() {
                self.store();
                let Transport::Mmio(mmio) = &self.transport else {
                    return;
                };
                assert_eq!(mmio.mode(), Mode::Vis);
                let before = self.inbox.0.load(Ordering::Relaxed);
                notifier.used(1);
                assert_eq!(self.inbox.0.load(Ordering::Relaxed), before + 1);
            }
        }
        summary.messages =
            self.inbox.0.load(Ordering::Relaxed) + self.raised.0.load(Ordering::Relaxed);
        summary.asserted = self.pin.asserted.load(Ordering::Relaxed);
        summary.starts = self.starts + self.device.starts.load(Ordering::Relaxed);
        summary.restored = self.restored;
    }
}
