// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Descriptors that name a neighbour's interrupt.

use std::time::Duration;

use ims_dsa::layout::command::Command;
use ims_dsa::layout::event::{ErrorWord, EventDetail, EventLogSize, EventLogStatus, EventWord};
use ims_dsa::layout::registers::{EVLCFG, EVLSTATUS, GENCFG, GeneralConfig, cause};
use ims_dsa::layout::{Descriptor, Flags, Status};
use zerocopy::little_endian::U32;

use crate::client::{Client, SPARE, VECTORS, until};
use crate::counts::{device, vector};
use crate::{client, served};

const INVALID: u8 = Status::InvalidHandle.code();
/// The entries of the smallest log, 64 bytes each.
const LOG_ENTRIES: u16 = 64;

/// `descriptor` that asks for an interrupt, and for no record.
fn unrecorded(descriptor: Descriptor, handle: u16) -> Descriptor {
    let interrupting = Client::interrupting(descriptor, handle);
    let records = (Flags::RECORD_VALID | Flags::REQUEST_RECORD).bits();
    Descriptor {
        command: U32::new(interrupting.command.get() & !records),
        completion: 0.into(),
        ..interrupting
    }
}

fn error(client: &mut Client) -> ErrorWord {
    let mut word = ErrorWord::new();
    until("the error", || {
        word = client.driver.software_error().unwrap().into();
        word.valid()
    });
    word
}

/// The client was interrupted because of an error, which it takes note of.
fn told(client: &mut Client) {
    until("its interrupt", || {
        let limit = Duration::from_millis(100);
        client.driver.vectors().wait(0, limit).unwrap() > 0
    });
    assert_eq!(client.driver.take_causes().unwrap(), cause::SOFTWARE_ERROR);
    client.driver.clear_software_error().unwrap();
}

#[test]
fn a_neighbours_handle_is_invalid_and_the_neighbour_gets_no_interrupt() {
    let served = served("handles");
    let client_of = |name| client(&served, name);
    let (mut client, mut neighbour) = (client_of("vdsa0"), client_of("vdsa1"));
    let theirs = neighbour.handles.clone();
    assert!(theirs.iter().all(|handle| !client.handles.contains(handle)));

    // With a record, that tells; nothing is copied.
    for handle in (0..300).chain([u16::MAX]).chain(theirs.clone()) {
        if client.handles.contains(&handle) {
            continue;
        }
        let copy = Client::interrupting(client.copy(0), handle);
        let record = client.record(0);
        client.driver.arena.clear(record).unwrap();
        client.driver.submit(0, false, &copy).unwrap();
        let completion = client.driver.wait(record).unwrap();
        assert_eq!(completion.status, INVALID, "handle {handle}");
    }
    assert!(!client.is_copied(0));
    // And the register: the first, and that there were more. The client is
    // interrupted by its own vector.
    let word = error(&mut client);
    assert_eq!((word.error(), word.queue()), (INVALID, 0));
    assert!(word.overflow());
    told(&mut client);

    // Without a record, the register alone.
    let copy = unrecorded(client.copy(0), theirs[0]);
    client.driver.submit(0, false, &copy).unwrap();
    let word = error(&mut client);
    assert_eq!((word.error(), word.queue()), (INVALID, 0));
    assert!(!word.overflow());
    told(&mut client);

    // Or the event log, where there is one.
    client.driver.command(Command::DisableDevice, 0).unwrap();
    let log = client.at(SPARE);
    let driver = &mut client.driver;
    driver.write64(EVLCFG, log).unwrap();
    let size = EventLogSize::new().with_entries(LOG_ENTRIES);
    driver.write64(EVLCFG + 8, size.into()).unwrap();
    let logs = GeneralConfig::new().with_event_log(true);
    driver.write32(GENCFG, logs.into()).unwrap();
    client.enable().unwrap();
    let copy = unrecorded(client.copy(0), theirs[1]);
    client.driver.submit(0, false, &copy).unwrap();
    until("the event", || {
        let status = client.driver.read64(EVLSTATUS).unwrap();
        EventLogStatus::from(status).tail() == 1
    });
    let mut entry = [0; 16];
    client.driver.arena.read(log, &mut entry).unwrap();
    let (word, detail) = entry.split_at(8);
    let quad = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    let (word, detail) = (EventWord::from(quad(word)), EventDetail::from(quad(detail)));
    assert_eq!(word.error(), INVALID);
    assert!(detail.interrupt_requested());
    assert_eq!(detail.handle(), theirs[1]);
    assert_eq!(client.driver.software_error().unwrap(), 0);
    client.restore(SPARE, 64 * usize::from(LOG_ENTRIES));

    // Nothing of it all was for the neighbour, and both work.
    for number in 1..VECTORS {
        let signals = neighbour.take_signals(number, Duration::ZERO).unwrap();
        assert_eq!(signals, 0);
        let counted = vector(&device(&served, "vdsa1"), number);
        for what in ["raised", "delivered", "coalesced", "held", "faulted"] {
            assert_eq!(counted[what], 0, "{what}");
        }
    }
    for client in [&mut client, &mut neighbour] {
        client.round().unwrap();
        client.untouched();
    }
}
