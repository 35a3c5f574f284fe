// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What ends work that is under way: resets of each kind, and an unmap. When they
//! are answered, nothing is written any more.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use ims_dsa::layout::command::Command;
use ims_dsa::layout::{Descriptor, Status, WRITE_FAULT};
use ims_dsa_driver::DriverError;
use zerocopy::little_endian::{U32, U64};

use crate::client::{Client, RECORD_PLACES};
use crate::counts::{agree, device};
use crate::neighbour::Neighbour;
use crate::served::Served;
use crate::{client, served};

/// Where the device finds the large file, and how much of it a copy moves: long
/// enough to be interrupted.
const LARGE: u64 = 0x4000_0000;
const PIECE: usize = 8 << 20;
/// Copies at once, so that some are under way when a reset arrives.
const COPIES: usize = 24;
/// What is copied from its first half.
const SOURCE: u8 = 0x11;
/// What is put into its second half when nothing may write there any more.
const SEAL: u8 = 0x5a;
const TRIES: usize = 12;

/// A large file: a piece to copy from, and one to copy to.
struct Large(File);

impl Large {
    fn new(served: &Served) -> Self {
        let path = served.dir.join("large");
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(true);
        let file = options.open(path).unwrap();
        file.write_all_at(&vec![SOURCE; PIECE], 0).unwrap();
        let large = Self(file);
        large.seal();
        large
    }

    fn give(&self, client: &mut Client) {
        let (link, size) = (client.driver.link(), 2 * PIECE as u64);
        link.map(LARGE, size, self.0.as_fd(), 0).unwrap();
    }

    fn take(&self, client: &mut Client) {
        client.driver.link().unmap(LARGE, 2 * PIECE as u64).unwrap();
    }

    /// From its end: a copy that is still under way comes there last.
    fn seal(&self) {
        let page = [SEAL; 0x1000];
        for at in (PIECE..2 * PIECE).step_by(page.len()).rev() {
            self.0.write_all_at(&page, at as u64).unwrap();
        }
    }

    fn is_sealed(&self) -> bool {
        let mut bytes = vec![0; PIECE];
        self.0.read_exact_at(&mut bytes, PIECE as u64).unwrap();
        bytes == vec![SEAL; PIECE]
    }

    /// Gives a client's queue more than can be done at once.
    fn load(client: &mut Client) {
        const { assert!(COPIES <= RECORD_PLACES) };
        for place in 0..COPIES {
            let record = client.record(place);
            client.driver.arena.clear(record).unwrap();
            let copy = Descriptor {
                completion: U64::new(record),
                source: U64::new(LARGE),
                destination: U64::new(LARGE + PIECE as u64),
                size: U32::new(PIECE as u32),
                ..client.copy(0)
            };
            client.driver.submit(0, false, &copy).unwrap();
        }
    }
}

/// How many descriptors have ended.
fn ended(client: &Client) -> usize {
    let places = 0..COPIES;
    let ended = |place: &usize| {
        let record = client.record(*place);
        client.driver.arena.completion(record).unwrap().is_some()
    };
    places.filter(ended).count()
}

/// Resets a device at work with `reset`, again and again.
fn is_reset_at_work(
    name: &str,
    kind: &str,
    reset: impl Fn(&mut Client) -> Result<(), DriverError>,
) {
    let served = served(&format!("{kind}-{name}"));
    let neighbour = Neighbour::of(client(&served, "vdsa1"));
    let mut client = client(&served, name);
    let large = Large::new(&served);
    large.give(&mut client);
    // Once at rest, so that a driver has found what it needs for it.
    reset(&mut client).unwrap();
    client.driver.restart().unwrap();
    client.enable().unwrap();
    let mut given_up = 0;
    for _ in 0..TRIES {
        Large::load(&mut client);
        reset(&mut client).unwrap();
        // It is answered: from here on it writes nothing.
        large.seal();
        let before = client.bytes();
        given_up += COPIES - ended(&client);
        neighbour.goes_on();
        assert!(client.bytes() == before, "a record after the answer");
        assert_eq!(device(&served, name)["state"], "disabled");
        // And it works.
        client.driver.restart().unwrap();
        client.enable().unwrap();
        client.round().unwrap();
        client.untouched();
        assert!(large.is_sealed(), "a write after the answer");
    }
    println!("{name}, {kind}: {given_up} of {} given up", TRIES * COPIES);
    assert!(given_up > 0, "nothing was under way");
    agree(&served, "vdsa1", &mut neighbour.finish());
}

fn by_command(client: &mut Client) -> Result<(), DriverError> {
    // Looked for, and not waited for: the sooner it is sealed, the better.
    client.driver.begin(Command::ResetDevice, 0, false)?;
    client.driver.end(Command::ResetDevice)?;
    Ok(())
}

fn by_function(client: &mut Client) -> Result<(), DriverError> {
    client.driver.function_level_reset()
}

fn by_client(client: &mut Client) -> Result<(), DriverError> {
    client.driver.link().reset()
}

#[test]
fn a_device_reset_by_command_at_work_writes_nothing_after_the_answer_and_works() {
    for name in ["vdsa0", "dsa"] {
        is_reset_at_work(name, "command", by_command);
    }
}

#[test]
fn a_function_reset_in_config_space_at_work_writes_nothing_after_the_answer_and_works() {
    for name in ["vdsa0", "dsa"] {
        is_reset_at_work(name, "function", by_function);
    }
}

#[test]
fn a_device_reset_by_its_client_at_work_writes_nothing_after_the_answer_and_works() {
    for name in ["vdsa0", "dsa"] {
        is_reset_at_work(name, "client", by_client);
    }
}

#[test]
fn memory_taken_away_at_work_is_not_written_after_the_answer() {
    const FAULT: u8 = Status::PageFault.code();
    for name in ["vdsa0", "dsa"] {
        let served = served(&format!("unmap-{name}"));
        let neighbour = Neighbour::of(client(&served, "vdsa1"));
        let mut client = client(&served, name);
        let large = Large::new(&served);
        let mut faulted = 0;
        for _ in 0..TRIES {
            large.give(&mut client);
            Large::load(&mut client);
            large.take(&mut client);
            large.seal();
            // What was under way ends, each in its way.
            for place in 0..COPIES {
                let completion = client.driver.wait(client.record(place)).unwrap();
                match completion.status {
                    1 => {}
                    FAULT => {
                        faulted += 1;
                        let address = completion.fault_address.get();
                        let end = LARGE + PIECE as u64;
                        assert!((LARGE..end).contains(&address), "{address:#x}");
                    }
                    status if status == FAULT | WRITE_FAULT => {
                        faulted += 1;
                        let address = completion.fault_address.get();
                        let begin = LARGE + PIECE as u64;
                        let end = begin + PIECE as u64;
                        assert!((begin..end).contains(&address), "{address:#x}");
                    }
                    status => panic!("{status:#x}"),
                }
            }
            assert!(large.is_sealed(), "a write after the answer");
            client.round().unwrap();
            client.untouched();
        }
        println!("{name}: {faulted} of {} ended early", TRIES * COPIES);
        assert!(faulted > 0, "nothing was under way");
        agree(&served, "vdsa1", &mut neighbour.finish());
    }
}
