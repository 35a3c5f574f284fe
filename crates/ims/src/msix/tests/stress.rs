// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Raisers on threads while a guest masks, unmasks and rewrites.

use std::sync::atomic::{AtomicU64, Ordering};
use std::vec::Vec;

use alloc::sync::Arc;

use super::bench::{ENABLED, FUNCTION_MASKED, REQUESTER, config};
use crate::message::{Message, RequesterId};
use crate::msix::Msix;
use crate::sink::{Acceptance, Answer, MessageSink};

const VECTORS: u16 = 3;
const RAISERS: u64 = 2;
const RAISES: u64 = 20_000;

/// Counts by vector. Address and data of a message say the same: which vector, and
/// which version of it.
#[derive(Debug, Default)]
struct Checker([AtomicU64; VECTORS as usize]);

fn message(vector: u16, version: u32) -> Message {
    Message {
        address: u64::from(version) << 32 | u64::from(vector),
        data: version << 8 | u32::from(vector),
    }
}

impl MessageSink for Checker {
    fn send(&self, _requester: RequesterId, sent: Message) -> Answer {
        let vector = sent.address as u16;
        let version = (sent.address >> 32) as u32;
        assert_eq!(sent, message(vector, version), "torn");
        self.0[usize::from(vector)].fetch_add(1, Ordering::Relaxed);
        Answer::Accepted(Acceptance::Fresh)
    }
}

#[test]
fn nothing_is_lost_doubled_or_torn_however_a_guest_masks_and_rewrites() {
    let sink = Arc::<Checker>::default();
    let mut msix = Msix::new(config(VECTORS), REQUESTER, Arc::clone(&sink)).unwrap();
    let raisers: Vec<_> = (0..RAISERS)
        .map(|_| {
            let port = msix.port();
            std::thread::spawn(move || {
                for at in 0..RAISES {
                    let _ = port.raise((at % u64::from(VECTORS)) as u16);
                }
            })
        })
        .collect();
    let mut version = 0u32;
    while raisers.iter().any(|raiser| !raiser.is_finished()) {
        version = (version + 1) & 0xff_ffff;
        rewrite(&mut msix, version);
    }
    for raiser in raisers {
        raiser.join().unwrap();
    }
    rewrite(&mut msix, 0);
    let port = msix.port();
    let mut raised = 0;
    for vector in 0..VECTORS {
        assert!(!port.is_pending(vector));
        let counts = port.counts(vector).unwrap();
        raised += counts.raised;
        let taken = sink.0[usize::from(vector)].load(Ordering::Relaxed);
        assert_eq!(counts.raised, taken + counts.coalesced);
        assert_eq!((counts.dropped, counts.refused), (0, 0));
    }
    assert_eq!(raised, RAISERS * RAISES);
}

/// Gives every vector its message of this version, under one mask or another, and
/// lets it send.
fn rewrite(msix: &mut Msix<Arc<Checker>>, version: u32) {
    let by = version % 3;
    match by {
        0 => msix.write_config(2, &(ENABLED | FUNCTION_MASKED).to_le_bytes()),
        1 => msix.write_config(2, &0u16.to_le_bytes()),
        _ => {}
    }
    for vector in 0..VECTORS {
        let (at, message) = (u64::from(vector) * 16, message(vector, version));
        if by == 2 {
            msix.write_table(at + 12, &1u32.to_le_bytes());
        }
        msix.write_table(at, &message.address.to_le_bytes());
        msix.write_table(at + 8, &message.data.to_le_bytes());
        msix.write_table(at + 12, &0u32.to_le_bytes());
    }
    msix.write_config(2, &ENABLED.to_le_bytes());
}
