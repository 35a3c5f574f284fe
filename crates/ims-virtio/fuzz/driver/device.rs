// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device that takes its time to stop, and those around it, who watch.

use std::mem;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ims::message::{Message, RequesterId};
use ims::sink::{Acceptance, Answer, MessageSink, Refusal};
use ims_vfio::Hold;
use ims_virtio::{Device, Line, Memory, Notifier, Setup, StartError, Vectors};

/// Queues of the device.
pub(crate) const QUEUES: [u16; 3] = [64, 16, 1];

#[derive(Debug, Default)]
pub(crate) struct Watched {
    held: Mutex<Vec<Hold>>,
    /// From a start until the end of a stop.
    notifier: Mutex<Option<Notifier>>,
    running: AtomicBool,
    pub(crate) starts: AtomicUsize,
    pub(crate) notified: AtomicUsize,
}

impl Watched {
    pub(crate) fn notifier(&self) -> Option<Notifier> {
        self.notifier.lock().unwrap().clone()
    }

    pub(crate) fn let_go(&self) {
        if !self.running.load(Ordering::Relaxed) {
            *self.notifier.lock().unwrap() = None;
        }
        let held = mem::take(&mut *self.held.lock().unwrap());
        drop(held);
    }
}

impl<M: Memory> Device<M> for Watched {
    fn id(&self) -> u32 {
        2
    }

    fn features(&self) -> u64 {
        3 << 28 | 0xff
    }

    fn queues(&self) -> &[u16] {
        &QUEUES
    }

    fn read_config(&self, offset: u64, into: &mut [u8]) {
        for (at, byte) in (offset..).zip(into) {
            *byte = if at < 60 { 0x5a } else { 0 };
        }
    }

    fn start(&self, setup: Setup<M>) -> Result<(), StartError> {
        assert!(
            !self.running.swap(true, Ordering::Relaxed),
            "stopped before"
        );
        assert!(self.held.lock().unwrap().is_empty(), "and let go");
        assert_eq!(setup.queues.len(), QUEUES.len());
        assert_eq!(setup.features >> 32 & 1, 1, "version 1");
        self.starts.fetch_add(1, Ordering::Relaxed);
        *self.notifier.lock().unwrap() = Some(setup.notifier);
        match setup.queues.first() {
            Some(Some(_)) => Ok(()),
            _ => Err(StartError::Queue { queue: 0 }),
        }
    }

    fn notify(&self, queue: u16) {
        assert!(usize::from(queue) < QUEUES.len());
        self.notified.fetch_add(1, Ordering::Relaxed);
    }

    fn stop(&self, hold: Hold) {
        assert!(
            self.running.swap(false, Ordering::Relaxed),
            "started before"
        );
        self.held.lock().unwrap().push(hold);
    }
}

/// Takes messages that could be an interrupt.
#[derive(Debug, Default)]
pub(crate) struct Inbox(pub(crate) AtomicUsize);

impl MessageSink for Inbox {
    fn send(&self, _: RequesterId, message: Message) -> Answer {
        if message.address >> 20 != 0xfee {
            return Answer::Refused(Refusal::Malformed);
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        Answer::Accepted(Acceptance::Fresh)
    }
}

/// A line that is set only when it changes.
#[derive(Debug, Default)]
pub(crate) struct Pin {
    pub(crate) high: AtomicBool,
    pub(crate) asserted: AtomicUsize,
}

impl Line for Pin {
    fn set(&self, asserted: bool) {
        assert_ne!(self.high.swap(asserted, Ordering::Relaxed), asserted);
        self.asserted.fetch_add(asserted.into(), Ordering::Relaxed);
    }
}

/// Vectors of a function.
#[derive(Debug, Default)]
pub(crate) struct Raised(pub(crate) AtomicUsize);

pub(crate) const MSIX: u16 = 3;

/// The function's vectors, as its transport has them.
#[derive(Debug)]
pub(crate) struct Shared(pub(crate) std::sync::Arc<Raised>);

impl Vectors for Shared {
    fn count(&self) -> u16 {
        MSIX
    }

    fn raise(&self, vector: u16) {
        assert!(vector < MSIX);
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}
