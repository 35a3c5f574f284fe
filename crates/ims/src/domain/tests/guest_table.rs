// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest that writes what it likes into its virtual MSI-X table, in front of a
//! host's store: nothing of it reaches a slot, an entry or a CPU of the host.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use super::host::{Host, Organisation, ROOMY, Side};
use super::machine::FIRST_APIC;
use crate::domain::*;
use crate::message::{Message, Remappable, RequesterId};
use crate::msix::{BarOffset, Msix, MsixConfig};
use crate::sink::{Acceptance, Answer, MessageSink};
use crate::store::Contents;

const VECTORS: u16 = 8;
const HOSTS: RequesterId = RequesterId(0x0100);
const GUESTS: RequesterId = RequesterId(0x0208);

/// The guest's own way: takes anything.
#[derive(Debug, Default)]
struct Guest(Mutex<Vec<Message>>);

impl MessageSink for Guest {
    fn send(&self, requester: RequesterId, message: Message) -> Answer {
        assert_eq!(requester, GUESTS);
        self.0.lock().unwrap().push(message);
        Answer::Accepted(Acceptance::HandedOver)
    }
}

fn msix<K: MessageSink>(sink: K) -> Msix<K> {
    let at = |bir| BarOffset { bir, offset: 0 };
    let config = MsixConfig {
        vectors: VECTORS,
        table: at(0),
        pba: at(1),
    };
    Msix::new(config, GUESTS, sink).unwrap()
}

/// All that the host has written down of its interrupts: slots, remap entries,
/// and how often the latter were written.
fn written(host: &Host, side: &Side) -> (Vec<Vec<Option<Contents>>>, Vec<u128>, u32) {
    let slots = 0..u32::from(VECTORS);
    let unit = host.control.unit(host.unit).unwrap();
    let entries = (0..u32::from(VECTORS) + 4).map(|handle| unit.entry(handle).map_or(0, |e| e.0));
    (
        slots.map(|slot| side.port.contents(slot)).collect(),
        entries.collect(),
        host.entries
            .writes
            .load(std::sync::atomic::Ordering::Relaxed),
    )
}

/// Messages that would be the host's, if anybody took them for that.
fn hostile(host: &Host, side: &Side, tokens: &[Interrupt]) -> Vec<Message> {
    let mut messages = vec![
        Message::default(),
        Message {
            address: u64::MAX,
            data: u32::MAX,
        },
    ];
    for (slot, token) in (0..).zip(tokens) {
        let location = host.control.location(*token).unwrap();
        let (cpu, vector) = location.target.unwrap();
        let handle = location.handle.unwrap();
        // By the host's own slot, by its handle, by its CPU and vector.
        messages.push(side.port.contents(slot)[0].unwrap().message);
        let subhandle = None;
        messages.push(Remappable { handle, subhandle }.encode());
        messages.push(Message {
            address: 0xfee0_0000 | u64::from(FIRST_APIC + cpu.0) << 12,
            data: vector.into(),
        });
    }
    messages
}

/// Writes the same entry everywhere, in accesses of `size` bytes; reserved bits of
/// vector control set, its mask clear.
fn fill<K: MessageSink>(msix: &mut Msix<K>, message: Message, size: usize) {
    let mut entry = [0xff; 16];
    entry[..8].copy_from_slice(&message.address.to_le_bytes());
    entry[8..12].copy_from_slice(&message.data.to_le_bytes());
    entry[12] = 0xfe;
    let table = entry.repeat(VECTORS.into());
    for (at, piece) in table.chunks(size).enumerate() {
        msix.write_table((at * size) as u64, piece);
    }
}

/// A host with as many interrupts as the guest has vectors.
fn host() -> (Host, Side, Vec<Interrupt>) {
    let mut host = Host::new(ROOMY);
    let side = host.ims_in(VECTORS.into(), true, Organisation::Table);
    let tokens = (0..VECTORS)
        .map(|_| {
            let request = Request::new(host.host);
            host.start(&side, &request)
        })
        .collect();
    (host, side, tokens)
}

#[test]
fn what_a_guest_writes_in_its_table_never_reaches_a_host_slot() {
    let (mut host, side, tokens) = host();
    let guest = Arc::<Guest>::default();
    let mut msix = msix(Arc::clone(&guest));
    let before = written(&host, &side);
    msix.write_config(0, &[0xff; 12]);
    msix.write_config(3, &[0x80]);
    for message in hostile(&host, &side, &tokens) {
        for size in [1, 4, 7, 8, 16, 128] {
            fill(&mut msix, message, size);
            for vector in 0..VECTORS {
                // The device's interrupt is taken by the host, whose handler raises
                // the guest's.
                let raised = host.raise(&side, vector.into());
                assert_eq!(raised, Raised::Sent(Acceptance::Fresh));
                assert_eq!(host.harvest_all(), [tokens[usize::from(vector)].virq()]);
                let passed = msix.port().raise(vector);
                assert_eq!(passed, Raised::Sent(Acceptance::HandedOver));
                let sent = core::mem::take(&mut *guest.0.lock().unwrap());
                assert_eq!(sent, [message], "the guest's own, to the guest");
                assert_eq!(host.harvest_all(), [], "and nothing to the host");
            }
            assert_eq!(written(&host, &side), before);
        }
    }
    // Nor do mask, pending and reset of the guest's touch the host's.
    msix.write_table(0, &[0xff; 128]);
    let _ = msix.port().raise(0);
    msix.reset();
    assert_eq!(written(&host, &side), before);
}

#[test]
fn a_guests_message_that_names_the_hosts_handle_is_refused_even_by_the_hosts_unit() {
    let (host, side, tokens) = host();
    // The mistake of a host that hands its own unit out as the guest's way.
    let mut msix = msix(host.remapped.clone());
    msix.write_config(3, &[0x80]);
    let before = written(&host, &side);
    let mut refusals = BTreeSet::new();
    for message in hostile(&host, &side, &tokens) {
        fill(&mut msix, message, 16);
        for vector in 0..VECTORS {
            let Raised::Refused(refusal) = msix.port().raise(vector) else {
                panic!("{message:?} was not refused");
            };
            refusals.insert(std::format!("{refusal}"));
        }
        assert_eq!(host.harvest_all(), []);
    }
    assert!(refusals.len() > 1, "several reasons: {refusals:?}");
    assert_eq!(written(&host, &side), before);
    // The same messages are good from the device they belong to.
    let own = side.port.contents(0)[0].unwrap().message;
    let sent = host.remapped.send(HOSTS, own);
    assert_eq!(sent, Answer::Accepted(Acceptance::Fresh));
    assert_eq!(host.harvest_all(), [tokens[0].virq()]);
}
