// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An eventfd in a kernel with KVM, and a vector with mask and pending bit.

use std::sync::Arc;

use ims::message::{Message, RequesterId};
use loom::sync::Mutex;
use rustix::io::Errno;

use crate::lines::{End, Line, Route, Target};

/// The only GSI.
const GSI: u32 = 30;

/// The vector as the guest has programmed it.
#[derive(Debug, Default)]
struct Programmed {
    masked: bool,
    pending: bool,
    data: u32,
    /// Interrupts sent by message.
    sent: u32,
}

/// The eventfd and KVM's side.
#[derive(Debug, Default)]
struct Count {
    count: u32,
    attached: bool,
    /// The message of the committed route.
    table: Option<u32>,
    /// Writes, and how many there had been when something was announced last.
    written: u32,
    announced: u32,
    injected: u32,
}

/// Both, shared by the threads of a model.
#[derive(Default)]
pub(super) struct Kernel {
    eventfd: Mutex<Count>,
    vector: Mutex<Programmed>,
}

/// The line under test.
pub(super) type ModelLine = Line<Arc<Kernel>>;

pub(super) fn message(data: u32) -> Message {
    Message {
        address: 0xfee0_0000,
        data,
    }
}

impl Count {
    /// Something new is announced, once.
    fn announce(&mut self) {
        assert!(self.written > self.announced, "announced twice");
        self.announced = self.written;
    }
}

impl Kernel {
    /// A watched line of a vector that is unmasked, and its kernel.
    pub(super) fn line() -> (Arc<ModelLine>, Arc<Self>) {
        let kernel = Arc::new(Self::default());
        let target = Arc::clone(&kernel) as Arc<dyn Target>;
        let line = Line::new(target, 0, Arc::clone(&kernel), 0);
        (Arc::new(line), kernel)
    }

    /// As [`Kernel::line`], an irqfd already.
    pub(super) fn irqfd() -> (Arc<ModelLine>, Arc<Self>) {
        let (line, kernel) = Self::line();
        kernel.commit(&line);
        assert!(kernel.eventfd.lock().unwrap().attached);
        (line, kernel)
    }

    /// A commit that looks at the line, as a round does.
    pub(super) fn commit(&self, line: &ModelLine) {
        use crate::lines::Wish;
        match line.consider() {
            Wish::Nothing => {}
            Wish::Stands => {
                let _ = line.promote();
            }
            Wish::Route {
                from, message, gsi, ..
            } => {
                if gsi.is_some() {
                    line.unroute();
                }
                {
                    let mut eventfd = self.eventfd.lock().unwrap();
                    assert!(!eventfd.attached, "a route changed under an irqfd");
                    eventfd.table = Some(message.data);
                }
                line.set_route(Route {
                    gsi: GSI,
                    from,
                    message,
                });
                let _ = line.promote();
            }
        }
    }

    /// Somebody writes.
    pub(super) fn write(&self) {
        let mut eventfd = self.eventfd.lock().unwrap();
        eventfd.written += 1;
        if eventfd.attached {
            eventfd.count = 0;
            self.inject(&mut eventfd);
        } else {
            eventfd.count += 1;
        }
    }

    /// The guest masks, between hold and release.
    pub(super) fn mask(&self, line: &ModelLine) {
        line.hold();
        assert!(!self.eventfd.lock().unwrap().attached, "held");
        self.vector.lock().unwrap().masked = true;
        let _ = line.release();
    }

    /// The guest unmasks; what is pending is sent.
    pub(super) fn unmask(&self, line: &ModelLine) {
        line.hold();
        {
            let mut vector = self.vector.lock().unwrap();
            vector.masked = false;
            if std::mem::take(&mut vector.pending) {
                vector.sent += 1;
            }
        }
        let _ = line.release();
    }

    /// The guest writes another message.
    pub(super) fn program(&self, line: &ModelLine, data: u32) {
        line.hold();
        self.vector.lock().unwrap().data = data;
        let _ = line.release();
    }

    /// The forwarder looks again, as it does while something is there to read; then
    /// everything has been announced, and is pending only if masked.
    pub(super) fn end(&self, line: &ModelLine) {
        let _ = line.fire();
        let eventfd = self.eventfd.lock().unwrap();
        let vector = self.vector.lock().unwrap();
        assert_eq!(eventfd.written, eventfd.announced, "lost");
        assert!(vector.masked || !vector.pending);
        assert!(!(vector.masked && eventfd.attached));
        let interrupts = eventfd.injected + vector.sent + u32::from(vector.pending);
        assert!(interrupts >= 1 && interrupts <= eventfd.written);
    }

    /// Interrupts that came, and whether one is pending.
    pub(super) fn came(&self) -> (u32, bool) {
        let eventfd = self.eventfd.lock().unwrap();
        let vector = self.vector.lock().unwrap();
        (eventfd.injected + vector.sent, vector.pending)
    }

    pub(super) fn is_irqfd(&self) -> bool {
        self.eventfd.lock().unwrap().attached
    }

    fn inject(&self, eventfd: &mut Count) {
        let vector = self.vector.lock().unwrap();
        assert!(!vector.masked, "injected while masked");
        assert_eq!(eventfd.table, Some(vector.data), "an old message");
        eventfd.announce();
        eventfd.injected += 1;
    }
}

impl Target for Kernel {
    fn raise(&self, _index: u32) {
        let mut vector = self.vector.lock().unwrap();
        if vector.masked {
            vector.pending = true;
        } else {
            vector.sent += 1;
        }
    }

    fn message(&self, _index: u32) -> Option<(RequesterId, Message)> {
        let vector = self.vector.lock().unwrap();
        (!vector.masked).then_some((RequesterId(0), message(vector.data)))
    }
}

impl End for Arc<Kernel> {
    fn watch(&self) {}

    fn unwatch(&self) {}

    fn take(&self) -> u64 {
        let mut eventfd = self.eventfd.lock().unwrap();
        assert!(!eventfd.attached, "KVM reads it");
        if eventfd.count > 0 {
            eventfd.announce();
        }
        std::mem::take(&mut eventfd.count).into()
    }

    fn attach(&self, gsi: u32) -> Result<(), Errno> {
        assert_eq!(gsi, GSI);
        let mut eventfd = self.eventfd.lock().unwrap();
        assert!(!eventfd.attached);
        eventfd.attached = true;
        // Injected once, and left in the count.
        if eventfd.count > 0 {
            self.inject(&mut eventfd);
        }
        Ok(())
    }

    fn detach(&self, _gsi: u32) -> Result<(), Errno> {
        let mut eventfd = self.eventfd.lock().unwrap();
        assert!(eventfd.attached);
        eventfd.attached = false;
        eventfd.count = 0;
        Ok(())
    }
}
