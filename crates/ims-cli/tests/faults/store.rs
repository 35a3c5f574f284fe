// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Interrupt Message Store of a physical function, programmed by its driver:
//! messages arrive as writes of the device.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ims_dsa::layout::command::Command;
use ims_dsa::layout::tables::ImsControl;
use ims_dsa::layout::{Descriptor, Flags, Opcode, Status};
use ims_dsa_driver::{Delivered, Driver, Group, Queue};
use zerocopy::little_endian::{U16, U64};

use crate::client::LIMIT;
use crate::served::Served;

const ENTRIES: u16 = 2048;
/// The miscellaneous vector is all MSI-X there is.
const VECTORS: u16 = 1;
const WINDOW: u16 = 32;
const SOON: Duration = Duration::from_millis(100);

const UNMASKED: ImsControl = ImsControl::new();
const MASKED: ImsControl = ImsControl::new().with_mask(true);

/// A function with a store, and a driver that has enabled it.
struct Rig {
    driver: Driver,
    records: u64,
    served: Served,
}

/// What an entry is programmed with: address and data that no other has.
fn message(entry: u16) -> Delivered {
    Delivered {
        address: 0xfee0_0000 + (u64::from(entry) << 32) + 4 * u64::from(entry % 512),
        data: 0x4000_0000 + u32::from(entry) * 7,
    }
}

impl Rig {
    fn new(name: &str) -> Self {
        let dir = Served::place(name);
        let socket = dir.join("dsa.sock");
        let entries = ENTRIES.to_string();
        let path = socket.to_str().unwrap();
        let flags = [
            "--physical",
            "--socket",
            path,
            "--ims-entries",
            &entries,
            "--engines",
            "2",
        ];
        let served = Served::start_in(dir, &flags);
        let mut driver = Driver::open(&socket, 0x4000, VECTORS).unwrap();
        assert_eq!(driver.entries(), u32::from(ENTRIES));
        let records = driver.arena.take(32 * usize::from(WINDOW), 32).unwrap();
        let group = Group {
            queues: 0b1,
            engines: 0b11,
        };
        driver.configure_group(0, group).unwrap();
        let queue = Queue {
            size: WINDOW,
            ..Queue::default()
        };
        driver.configure_queue(0, queue).unwrap();
        driver.enable().unwrap();
        driver.enable_queue(0).unwrap();
        Self {
            driver,
            records: records.address,
            served,
        }
    }

    fn record(&self, place: u16) -> u64 {
        self.records + 32 * u64::from(place)
    }

    fn handle(&mut self, entry: u16) -> u16 {
        self.driver.request_handle(entry, true).unwrap()
    }

    /// Submits a descriptor that does nothing but raise.
    fn fire(&mut self, place: u16, handle: u16) {
        let record = self.record(place);
        self.driver.arena.clear(record).unwrap();
        let flags = Flags::RECORD_VALID | Flags::REQUEST_RECORD | Flags::REQUEST_INTERRUPT;
        let nothing = Descriptor {
            completion: U64::new(record),
            handle: U16::new(handle),
            ..Descriptor::new(Opcode::NoOp, flags)
        };
        self.driver.submit(0, true, &nothing).unwrap();
    }

    /// The same, to its end.
    fn fired(&mut self, handle: u16) -> u8 {
        self.fire(0, handle);
        self.driver.wait(self.record(0)).unwrap().status
    }

    /// The next message, which must come.
    fn next(&mut self) -> Delivered {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(message) = self.driver.link().message(SOON).unwrap() {
                return message;
            }
            assert!(Instant::now() < deadline, "a message is lost");
        }
    }

    /// Nothing is on its way: all descriptors have ended, and a read comes after
    /// all that was sent before it.
    fn quiet(&mut self) {
        self.driver.command(Command::DrainAll, 0).unwrap();
        self.driver.state().unwrap();
        let more = self.driver.link().message(Duration::ZERO).unwrap();
        assert_eq!(more, None);
    }

    /// What is counted of an entry.
    fn counted(&self, entry: u16) -> serde_json::Value {
        let statistics = self.served.stat();
        let vectors = statistics["devices"][0]["interrupts"].as_array().unwrap();
        let mut of = vectors
            .iter()
            .filter(|vector| vector["kind"] == "ims" && vector["index"] == entry);
        of.next().unwrap().clone()
    }
}

#[test]
fn each_of_2048_entries_sends_its_message_once() {
    let mut rig = Rig::new("store");
    let mut handles = Vec::new();
    for entry in 0..ENTRIES {
        rig.driver.program(entry, message(entry), UNMASKED).unwrap();
        handles.push(rig.handle(entry));
    }
    let mut arrived: BTreeMap<(u64, u32), u32> = BTreeMap::new();
    for handles in handles.chunks(usize::from(WINDOW)) {
        for (place, handle) in (0..).zip(handles) {
            rig.fire(place, *handle);
        }
        for place in 0..handles.len() as u16 {
            let completion = rig.driver.wait(rig.record(place)).unwrap();
            assert_eq!(completion.status, Status::Success.code());
        }
        for _ in handles {
            let Delivered { address, data } = rig.next();
            *arrived.entry((address, data)).or_default() += 1;
        }
    }
    rig.quiet();
    let expected: BTreeMap<_, _> = (0..ENTRIES)
        .map(|entry| ((message(entry).address, message(entry).data), 1))
        .collect();
    assert!(arrived == expected);
    let statistics = rig.served.stat();
    let vectors = statistics["devices"][0]["interrupts"].as_array().unwrap();
    let mut entries = 0;
    for vector in vectors.iter().filter(|vector| vector["kind"] == "ims") {
        entries += 1;
        assert_eq!(
            (&vector["raised"], &vector["delivered"]),
            (&1.into(), &1.into())
        );
    }
    assert_eq!(entries, ENTRIES);
}

#[test]
fn a_masked_entry_keeps_one_interrupt_and_sends_it_with_the_message_it_has_then() {
    const ENTRY: u16 = 2047;
    let mut rig = Rig::new("store-masks");
    rig.driver.program(ENTRY, message(ENTRY), MASKED).unwrap();
    let handle = rig.handle(ENTRY);
    for _ in 0..3 {
        assert_eq!(rig.fired(handle), Status::Success.code());
    }
    rig.quiet();
    let control = rig.driver.entry_control(ENTRY).unwrap();
    assert_eq!(control, MASKED.with_pending(true));
    // Moved while it is masked; what is kept goes where it is programmed to now.
    rig.driver.program(ENTRY, message(1), MASKED).unwrap();
    rig.quiet();
    assert!(rig.driver.entry_control(ENTRY).unwrap().pending());
    rig.driver.set_entry_control(ENTRY, UNMASKED).unwrap();
    assert_eq!(rig.next(), message(1));
    rig.quiet();
    assert_eq!(rig.driver.entry_control(ENTRY).unwrap(), UNMASKED);
    let counted = rig.counted(ENTRY);
    let counts = ["raised", "delivered", "coalesced", "held"].map(|what| &counted[what]);
    assert_eq!(counts, [3, 1, 2, 1]);
    // Nothing is left of it.
    rig.driver.set_entry_control(ENTRY, MASKED).unwrap();
    rig.driver.set_entry_control(ENTRY, UNMASKED).unwrap();
    rig.quiet();
    assert_eq!(rig.fired(handle), Status::Success.code());
    assert_eq!(rig.next(), message(1));
}

#[test]
fn an_entry_that_no_handle_may_name_ends_descriptors_and_sends_nothing() {
    let mut rig = Rig::new("store-ignored");
    let invalid = Status::InvalidHandle.code();
    rig.driver.program(0, message(0), UNMASKED).unwrap();
    rig.driver.program(1, message(1), UNMASKED).unwrap();
    let (handle, other) = (rig.handle(0), rig.handle(1));
    let ignored = UNMASKED.with_ignore(true);
    rig.driver.set_entry_control(0, ignored).unwrap();
    assert_eq!(rig.fired(handle), invalid);
    // One that is for a PASID is for nobody here: the queue has none.
    let owned = UNMASKED.with_pasid_enable(true).with_pasid(5);
    rig.driver.set_entry_control(0, owned).unwrap();
    assert_eq!(rig.fired(handle), invalid);
    rig.driver.release_handle(other, true).unwrap();
    assert_eq!(rig.fired(other), invalid, "it was given back");
    rig.quiet();
    rig.driver.set_entry_control(0, UNMASKED).unwrap();
    assert_eq!(rig.fired(handle), Status::Success.code());
    assert_eq!(rig.next(), message(0));
    rig.quiet();
}
