// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Messages out of the store: which, how often, and never torn.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "tests"
)]

use std::ops::Range;
use std::thread;

use ims_vfio::Hold;
use ims_vfio::dma::{DmaError, ReadThen, Remote, WriteThen};
use proptest::prelude::*;
use rustix::io::Errno;

use super::*;

/// A client that writes messages down and acknowledges them.
#[derive(Default)]
struct Client {
    messages: Mutex<Vec<(u64, u32)>>,
    /// Answers are kept, not given.
    keeps: AtomicBool,
    kept: Mutex<Vec<WriteThen>>,
}

impl Remote for Client {
    fn read(&self, _: u64, _: usize, _: ReadThen) {
        panic!("interrupts read nothing");
    }

    fn write(&self, address: u64, data: &[u8], then: WriteThen) {
        let data = u32::from_le_bytes(data.try_into().unwrap());
        self.messages.lock().unwrap().push((address, data));
        if self.keeps.load(Ordering::Relaxed) {
            self.kept.lock().unwrap().push(then);
        } else {
            then(Ok(()));
        }
    }

    fn post(&self, _: u64, _: &[u8]) -> Result<(), Errno> {
        panic!("interrupts are acknowledged");
    }

    fn abandon(&self, _: Option<Range<u64>>) {
        self.kept.lock().unwrap().clear();
    }

    fn may_wait(&self) -> bool {
        true
    }
}

impl Client {
    fn take(&self) -> Vec<(u64, u32)> {
        std::mem::take(&mut self.messages.lock().unwrap())
    }
}

static ALIVE: AtomicBool = AtomicBool::new(true);

const MASKED: u32 = 1;
const OPEN: u32 = 0;

fn table(by_request: bool) -> (ImsTable, Arc<Client>, Dma) {
    let dma = Dma::default();
    let client = Arc::<Client>::default();
    dma.set_remote(Some(client.clone()));
    dma.allow();
    (ImsTable::new(256, by_request, dma.clone()), client, dma)
}

fn entry(address: u64, data: u32, control: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&address.to_le_bytes());
    bytes[8..12].copy_from_slice(&data.to_le_bytes());
    bytes[12..].copy_from_slice(&control.to_le_bytes());
    bytes
}

fn control(table: &ImsTable, index: u64) -> u32 {
    let mut bytes = [0; 4];
    table.read(index * 16 + 12, &mut bytes);
    u32::from_le_bytes(bytes)
}

fn raise(table: &ImsTable, handle: u16) -> Result<(), NotValid> {
    table.raise(handle, None, &ALIVE)
}

fn raises(table: &ImsTable, index: u16) -> crate::physical::Raises {
    let reports = table.report();
    let report = reports.iter().find(|report| report.index == index);
    report.unwrap().raises
}

#[test]
fn entries_are_masked_and_empty_at_first_and_after_a_reset() {
    let (table, client, _) = table(false);
    assert_eq!(control(&table, 3), MASKED);
    table.write(3 * 16, &entry(0xfee0_1000, 7, OPEN));
    raise(&table, 3).unwrap();
    assert_eq!(client.take(), [(0xfee0_1000, 7)]);
    table.reset();
    raise(&table, 3).unwrap();
    assert_eq!(client.take(), []);
    assert_eq!(control(&table, 3), MASKED | 2, "masked and pending");
}

#[test]
fn a_raise_behind_a_mask_goes_out_once_and_with_the_message_of_the_unmask() {
    let (table, client, _) = table(false);
    table.write(0, &entry(0xfee0_0000, 1, MASKED));
    for _ in 0..3 {
        raise(&table, 0).unwrap();
    }
    assert_eq!(control(&table, 0), MASKED | 2);
    // Pending cannot be written, neither to 0 nor to 1.
    table.write(12, &MASKED.to_le_bytes());
    assert_eq!(control(&table, 0), MASKED | 2);
    table.write(8, &5u32.to_le_bytes());
    assert_eq!(client.take(), []);
    table.write(12, &OPEN.to_le_bytes());
    assert_eq!(client.take(), [(0xfee0_0000, 5)]);
    assert_eq!(control(&table, 0), OPEN);
    table.write(12, &2u32.to_le_bytes());
    assert_eq!((client.take(), control(&table, 0)), (vec![], OPEN));
    let raises = raises(&table, 0);
    assert_eq!((raises.raised, raises.held, raises.coalesced), (3, 1, 2));
    assert_eq!((raises.delivered, raises.refused), (1, 0));
}

#[test]
fn only_requested_handles_are_good_where_handles_are_requested() {
    let (table, client, _) = table(true);
    for index in 0..4 {
        table.write(index * 16, &entry(0xfee0_0000 + index * 4096, 0, OPEN));
    }
    assert_eq!(raise(&table, 2), Err(NotValid));
    let handle = table.request(2).unwrap();
    assert_eq!(table.request(2), Ok(handle));
    assert_eq!(raise(&table, handle), Ok(()));
    assert_eq!(table.revoke_all(), 1);
    assert_eq!(table.check(handle, None), Err(NotValid));
    assert_eq!(raise(&table, handle), Err(NotValid));
    assert_eq!(
        table.release(handle),
        Err(CommandError::InvalidInterrupt),
        "it is nobody's"
    );
    let again = table.request(2).unwrap();
    assert_ne!(again, handle);
    assert_eq!(raise(&table, again), Ok(()));
    table.release(again).unwrap();
    assert_eq!(raise(&table, again), Err(NotValid));
    assert_eq!(table.request(256), Err(CommandError::InvalidInterrupt));
    assert_eq!(client.take(), [(0xfee0_2000, 0); 2]);
}

#[test]
fn who_may_not_name_an_entry_raises_nothing() {
    let (table, client, _) = table(false);
    let (seven, eight) = (Pasid::new(7), Pasid::new(8));
    table.write(0, &entry(0xfee0_0000, 0, 7 << 12 | 1 << 3));
    table.write(16, &entry(0xfee0_1000, 0, 1 << 2));
    for (handle, pasid) in [(0, eight), (0, None), (1, None), (1, seven), (256, seven)] {
        assert_eq!(table.check(handle, pasid), Err(NotValid));
        assert_eq!(table.raise(handle, pasid, &ALIVE), Err(NotValid));
    }
    assert_eq!(client.take(), []);
    table.check(0, seven).unwrap();
    table.raise(0, seven, &ALIVE).unwrap();
    assert_eq!(client.take(), [(0xfee0_0000, 0)]);
}

#[test]
fn engines_whose_time_is_over_change_nothing() {
    let (table, client, _) = table(false);
    let over = AtomicBool::new(false);
    table.write(0, &entry(0xfee0_0000, 0, OPEN));
    for handle in [0, 1] {
        table.raise(handle, None, &over).unwrap();
    }
    assert_eq!((client.take(), control(&table, 1)), (vec![], MASKED));
    assert!(table.report().is_empty());
}

#[test]
fn what_the_client_says_is_counted_and_without_bus_mastering_nothing_goes_out() {
    let (table, client, dma) = table(false);
    table.write(0, &entry(0xfee0_0000, 0, OPEN));
    client.keeps.store(true, Ordering::Relaxed);
    raise(&table, 0).unwrap();
    raise(&table, 0).unwrap();
    assert_eq!(raises(&table, 0).delivered, 0);
    let kept = std::mem::take(&mut *client.kept.lock().unwrap());
    for then in kept {
        then(Ok(()));
    }
    assert_eq!(raises(&table, 0).delivered, 2);
    dma.block(Hold::nobody());
    client.take();
    raise(&table, 0).unwrap();
    let raises = raises(&table, 0);
    assert_eq!((client.take(), raises.refused), (vec![], 1));
    assert_eq!(
        raises.last_refusal,
        Some(Refusal::Message(DmaError::Blocked))
    );
}

#[test]
fn an_access_touches_what_it_covers_and_nothing_behind_the_store() {
    let (table, _, _) = table(false);
    let mut bytes = [0xaa; 40];
    table.read(256 * 16 - 8, &mut bytes);
    assert_eq!(bytes[..8], [0, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(bytes[8..], [0; 32]);
    table.write(256 * 16 - 4, &[0xff; 64]);
    assert_eq!(control(&table, 255), 0xffff_f00d);
    table.write(u64::MAX - 3, &[0xff; 64]);
    table.write(256 * 16, &[0xff; 64]);
    table.read(u64::MAX, &mut bytes);
    assert_eq!(bytes, [0; 40]);
}

/// Messages whose address and data tell whether they belong together.
fn numbered(number: u32) -> (u64, u32) {
    (u64::from(number) << 32 | u64::from(!number), number)
}

#[test]
fn no_message_is_torn_or_lost_while_software_masks_and_moves_it_under_fire() {
    const ENGINES: u64 = 3;
    const EACH: u64 = 1000;
    let (table, client, _) = table(false);
    let (address, data) = numbered(0);
    table.write(0, &entry(address, data, OPEN));
    let total = ENGINES * EACH;
    thread::scope(|scope| {
        let engines: Vec<_> = (0..ENGINES)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..EACH {
                        raise(&table, 0).unwrap();
                        thread::yield_now();
                    }
                })
            })
            .collect();
        let mut number = 0u32;
        while !engines.iter().all(|engine| engine.is_finished()) {
            number += 1;
            let (address, data) = numbered(number);
            if number.is_multiple_of(3) {
                // At once, without a mask.
                table.write(0, &entry(address, data, OPEN));
            } else {
                table.write(12, &MASKED.to_le_bytes());
                let sent = client.messages.lock().unwrap().len();
                table.write(0, &(address as u32).to_le_bytes());
                thread::yield_now();
                table.write(4, &((address >> 32) as u32).to_le_bytes());
                table.write(8, &data.to_le_bytes());
                let now = client.messages.lock().unwrap().len();
                assert_eq!(sent, now, "a message after its entry was masked");
                table.write(12, &OPEN.to_le_bytes());
            }
            thread::yield_now();
        }
    });
    let messages = client.take();
    for (address, data) in &messages {
        assert_eq!((*address, *data), numbered(*data), "torn");
    }
    assert!(
        messages.is_sorted_by_key(|(_, data)| *data),
        "an old message"
    );
    let raises = raises(&table, 0);
    assert_eq!(raises.raised, total);
    // Each raise went out, or was one with another that did.
    assert_eq!(raises.delivered, messages.len() as u64);
    assert_eq!(raises.delivered + raises.coalesced, total);
    assert_eq!(control(&table, 0) & 2, 0);
}

proptest! {
    /// Against a model of one entry: what is sent for any sequence of accesses and
    /// raises.
    #[test]
    fn any_accesses_and_raises_send_what_the_rules_say(
        steps in prop::collection::vec(
            prop_oneof![
                Just(None),
                (0usize..16, prop::collection::vec(any::<u8>(), 1..17)).prop_map(Some),
            ],
            1..60,
        ),
    ) {
        let (table, client, _) = table(false);
        let mut model = entry(0, 0, MASKED);
        let mut sent = Vec::new();
        let message = |bytes: &[u8; 16]| (
            u64::from_le_bytes(bytes[..8].try_into().unwrap()),
            u32::from_le_bytes(bytes[8..12].try_into().unwrap()),
        );
        for step in steps {
            match step {
                None => {
                    let admitted = model[12] & 0b1100 == 0;
                    prop_assert_eq!(raise(&table, 0).is_ok(), admitted);
                    if !admitted {
                        continue;
                    }
                    if model[12] & 1 != 0 {
                        model[12] |= 2;
                    } else {
                        sent.push(message(&model));
                    }
                }
                Some((at, data)) => {
                    let data = &data[..data.len().min(16 - at)];
                    table.write(at as u64, data);
                    let pending = model[12] & 2;
                    model[at..at + data.len()].copy_from_slice(data);
                    model[12] = model[12] & 0b1101 | pending;
                    model[13] &= 0xf0;
                    if model[12] & 0b11 == 0b10 {
                        model[12] &= !2;
                        sent.push(message(&model));
                    }
                }
            }
            let mut bytes = [0; 16];
            table.read(0, &mut bytes);
            prop_assert_eq!(bytes, model);
        }
        prop_assert_eq!(client.take(), sent);
    }
}
