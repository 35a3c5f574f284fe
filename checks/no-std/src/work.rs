// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the program does with `ims`; [`crate::virtio`] has the driver.

use alloc::boxed::Box;
use ims::bitmap::Bitmap;
use ims::message::{Message, RequesterId};
use ims::msix::{BarOffset, Msix, MsixConfig};
use ims::posted::{Descriptor, Notification};
use ims::segments::Segments;
use ims::sink::{Acceptance, Answer, MessageSink};

/// What did not do what it should; the program's exit status.
#[derive(Clone, Copy)]
#[repr(i32)]
pub(crate) enum Failed {
    Bitmap = 1,
    Segments = 2,
    Posted = 3,
    Msix = 4,
    Virtio = 5,
}

pub(crate) fn all() -> Result<(), Failed> {
    bitmap().then_some(()).ok_or(Failed::Bitmap)?;
    segments().then_some(()).ok_or(Failed::Segments)?;
    posted().then_some(()).ok_or(Failed::Posted)?;
    msix().then_some(()).ok_or(Failed::Msix)?;
    crate::virtio::drive().ok_or(Failed::Virtio)
}

/// The lowest member comes first, whatever the order of insertion.
fn bitmap() -> bool {
    let mut free = Bitmap::new();
    free.insert_range(70_000..70_010);
    let lowest = free.insert(4097) && free.first() == Some(4097);
    lowest && free.remove(4097) && free.first() == Some(70_000) && free.len() == 10
}

/// A table grows without moving what it holds.
fn segments() -> bool {
    let table = Segments::new();
    table.grow(1, Box::new);
    let before = table.get(0).map(|element| &raw const *element);
    table.grow(1000, Box::new);
    before == table.get(0).map(|element| &raw const *element)
        && table.get(999).is_some_and(|element| **element == 999)
}

/// A post notifies a CPU that sleeps, and is harvested once.
fn posted() -> bool {
    let there = Notification {
        destination: 3,
        vector: 0xf2,
    };
    let descriptor = Descriptor::new(there);
    let first = descriptor.post(0x31, false);
    let again = descriptor.post(0x31, false);
    first.notify == Some(there)
        && again.coalesced
        && again.notify.is_none()
        && descriptor.harvest().eq([0x31])
        && descriptor.harvest().is_empty()
}

/// Posts a message's data as a vector.
struct Poster(Descriptor);

impl MessageSink for Poster {
    fn send(&self, _requester: RequesterId, message: Message) -> Answer {
        let Ok(vector) = u8::try_from(message.data) else {
            return Answer::Refused(ims::sink::Refusal::Malformed);
        };
        let _ = self.0.post(vector, false);
        Answer::Accepted(Acceptance::Fresh)
    }
}

/// A guest's vector raised while it is masked is sent when the guest unmasks it.
fn msix() -> bool {
    let target = Poster(Descriptor::new(Notification {
        destination: 0,
        vector: 0,
    }));
    let at = |offset| BarOffset { bir: 0, offset };
    let config = MsixConfig {
        vectors: 2,
        table: at(0),
        pba: at(0x800),
    };
    let Ok(mut guests) = Msix::new(config, RequesterId(8), &target) else {
        return false;
    };
    guests.write_config(3, &[0x80]);
    guests.write_table(24, &[0x31]);
    let _ = guests.port().raise(1);
    let kept = guests.port().is_pending(1) && target.0.harvest().is_empty();
    guests.write_table(28, &[0]);
    kept && target.0.harvest().eq([0x31])
}
