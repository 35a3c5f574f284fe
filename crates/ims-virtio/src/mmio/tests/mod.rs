// SPDX-License-Identifier: Apache-2.0 OR MIT
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod fallback;
mod messages;
mod model;
mod offered;
mod registers;
mod saved;

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ims::message::{Message, RequesterId};
use ims::sink::{Acceptance, Answer, MessageSink};

use super::*;
use crate::layout::features::VERSION_1;
use crate::layout::msi::{self, Command, Layout};
use crate::layout::status::{ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK};
use crate::recorder::{Recorder, TestMemory, memory};

/// Keeps the messages it is sent.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    messages: Mutex<Vec<Message>>,
    busy: AtomicBool,
}

impl Inbox {
    /// Data of what came since the last look; addresses are the tests' own.
    pub(crate) fn take(&self) -> Vec<u32> {
        let messages = mem::take(&mut *self.messages.lock().unwrap());
        for message in &messages {
            assert_eq!(message.address, address(message.data));
        }
        messages.iter().map(|message| message.data).collect()
    }
}

impl MessageSink for Inbox {
    fn send(&self, requester: RequesterId, message: Message) -> Answer {
        assert_eq!(requester, REQUESTER);
        if self.busy.load(Ordering::Relaxed) {
            return Answer::Busy;
        }
        self.messages.lock().unwrap().push(message);
        Answer::Accepted(Acceptance::Fresh)
    }

    fn ready(&self, _: RequesterId, _: Message) -> bool {
        !self.busy.load(Ordering::Relaxed)
    }
}

/// A line that knows that it is set only when it changes.
#[derive(Debug, Default)]
pub(crate) struct Pin {
    asserted: AtomicBool,
    risen: AtomicUsize,
}

impl Line for Pin {
    fn set(&self, asserted: bool) {
        let was = self.asserted.swap(asserted, Ordering::Relaxed);
        assert_ne!(was, asserted, "a change each time");
        self.risen.fetch_add(asserted.into(), Ordering::Relaxed);
    }
}

impl Pin {
    pub(crate) fn is_high(&self) -> bool {
        self.asserted.load(Ordering::Relaxed)
    }
}

pub(crate) const REQUESTER: RequesterId = RequesterId(0x4711);

pub(crate) type TestMmio = Mmio<TestMemory, Recorder<TestMemory>, Arc<Inbox>, Arc<Pin>>;

/// A device as its driver has it.
pub(crate) struct Driver {
    pub(crate) device: Arc<Recorder<TestMemory>>,
    pub(crate) memory: TestMemory,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) pin: Arc<Pin>,
    pub(crate) mmio: TestMmio,
    pub(crate) layout: Layout,
}

/// The address that goes with data in these tests, so that halves of two messages are
/// found out.
pub(crate) fn address(data: u32) -> u64 {
    0xfee0_0000 | u64::from(data) << 32 | u64::from(data & 0xff) << 12
}

pub(crate) fn offer(layout: Layout, vectors: u32, sharing: bool) -> crate::msi::Offer {
    crate::msi::Offer {
        layout,
        vectors,
        sharing,
        notification: None,
    }
}

impl Driver {
    pub(crate) fn new(device: Recorder<TestMemory>, mut options: MmioOptions) -> Self {
        let (device, memory) = (Arc::new(device), memory());
        let (inbox, pin) = (Arc::<Inbox>::default(), Arc::<Pin>::default());
        options.requester = REQUESTER;
        let layout = options.msi.map_or(Layout::CLEAR, |offer| offer.layout);
        let mmio = Mmio::new(
            Arc::clone(&device),
            Arc::clone(&memory),
            Arc::clone(&inbox),
            Arc::clone(&pin),
            options,
        );
        Self {
            device,
            memory,
            inbox,
            pin,
            mmio: mmio.unwrap(),
            layout,
        }
    }

    pub(crate) fn with_msi(layout: Layout, vectors: u32, sharing: bool) -> Self {
        let options = MmioOptions {
            msi: Some(offer(layout, vectors, sharing)),
            ..MmioOptions::default()
        };
        Self::new(Recorder::new(&[64, 16]), options)
    }

    pub(crate) fn plain() -> Self {
        Self::new(Recorder::new(&[64, 16]), MmioOptions::default())
    }

    pub(crate) fn read(&self, offset: u64) -> u32 {
        let mut bytes = [0xaa; 4];
        self.mmio.read(offset, &mut bytes);
        u32::from_le_bytes(bytes)
    }

    pub(crate) fn write(&self, offset: u64, value: u32) {
        self.mmio.write(offset, &value.to_le_bytes());
    }

    pub(crate) fn status(&self) -> u32 {
        self.read(mmio::STATUS)
    }

    pub(crate) fn offered(&self) -> u64 {
        let word = |sel| {
            self.write(mmio::DEVICE_FEATURES_SEL, sel);
            u64::from(self.read(mmio::DEVICE_FEATURES))
        };
        word(0) | word(1) << 32
    }

    /// Until the features are agreed.
    pub(crate) fn agree(&self, features: u64) {
        let mut status = ACKNOWLEDGE;
        self.write(mmio::STATUS, status);
        status |= DRIVER;
        self.write(mmio::STATUS, status);
        for (sel, bits) in [(0, features as u32), (1, (features >> 32) as u32)] {
            self.write(mmio::DRIVER_FEATURES_SEL, sel);
            self.write(mmio::DRIVER_FEATURES, bits);
        }
        status |= FEATURES_OK;
        self.write(mmio::STATUS, status);
        assert_eq!(self.status(), status);
    }

    pub(crate) fn queue(&self, queue: u32, size: u32) {
        self.write(mmio::QUEUE_SEL, queue);
        assert!(self.read(mmio::QUEUE_SIZE_MAX) >= size);
        self.write(mmio::QUEUE_SIZE, size);
        let at = 0x4000 + 0x4000 * queue;
        self.write(mmio::QUEUE_DESC, at);
        self.write(mmio::QUEUE_DRIVER, at + 0x1000);
        self.write(mmio::QUEUE_DEVICE, at + 0x2000);
        self.write(mmio::QUEUE_READY, 1);
        assert_eq!(self.read(mmio::QUEUE_READY), 1);
    }

    pub(crate) fn go(&self) {
        self.queue(0, 32);
        self.queue(1, 16);
        self.write(mmio::STATUS, self.status() | DRIVER_OK);
        assert_eq!(self.status(), 15);
    }

    pub(crate) fn command(&self, command: Command) {
        self.write(self.layout.command, command as u32);
    }

    pub(crate) fn select(&self, vector: u32) {
        self.write(msi::VECTOR_SEL, vector);
    }

    pub(crate) fn configure(&self, vector: u32, data: u32) {
        self.select(vector);
        let address = address(data);
        self.write(msi::ADDRESS_LOW, address as u32);
        self.write(msi::ADDRESS_HIGH, (address >> 32) as u32);
        self.write(msi::DATA, data);
        self.command(Command::Configure);
    }

    pub(crate) fn enabled(&self) -> bool {
        self.read(self.layout.state) & self.layout.enabled != 0
    }

    /// With each vector's number and 0x100 as its data.
    pub(crate) fn go_with_msi(&self, vectors: u32) {
        self.agree(VERSION_1 | self.layout.feature);
        for vector in 0..vectors {
            self.configure(vector, 0x100 + vector);
        }
        self.command(Command::Enable);
        assert!(self.enabled());
        self.go();
    }

    pub(crate) fn used(&self, queue: u16) {
        self.mmio.notifier().used(queue);
    }

    pub(crate) fn config(&self) {
        self.mmio.notifier().config_changed();
    }

    pub(crate) fn interrupt_status(&self) -> u32 {
        self.read(mmio::INTERRUPT_STATUS)
    }
}
