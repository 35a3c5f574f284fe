// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Copies that leave the memory their client gave.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use ims_dsa::layout::event::ErrorWord;
use ims_dsa::layout::{Completion, Descriptor, Status, WRITE_FAULT};
use zerocopy::little_endian::U64;

use crate::client::{COPY, Client, until};
use crate::counts::device;
use crate::served::Served;
use crate::{client, served};

const PAGE: usize = 0x1000;
/// Where the device finds the middle one of three pages.
const MIDDLE: u64 = 0x4000_0000;
/// How much of a copy is inside.
const INSIDE: usize = 300;
const READ_FAULT: u8 = Status::PageFault.code();

/// Three pages of a client's file, of which the device is given the middle one.
struct Fenced(File);

impl Fenced {
    fn given(served: &Served, client: &mut Client) -> Self {
        let path = served.dir.join("fenced");
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(true);
        let file = options.open(path).unwrap();
        file.write_all_at(&[0xa5; 3 * PAGE], 0).unwrap();
        let (link, size) = (client.driver.link(), PAGE as u64);
        link.map(MIDDLE, size, file.as_fd(), size).unwrap();
        Self(file)
    }

    /// What the middle page holds; the others hold what they held.
    fn middle(&self) -> Vec<u8> {
        let mut bytes = vec![0; 3 * PAGE];
        self.0.read_exact_at(&mut bytes, 0).unwrap();
        let outside = bytes[..PAGE].iter().chain(&bytes[2 * PAGE..]);
        assert!(outside.into_iter().all(|byte| *byte == 0xa5), "it strayed");
        bytes[PAGE..2 * PAGE].to_vec()
    }
}

/// How a descriptor with a record ends.
fn ended(client: &mut Client, descriptor: &Descriptor) -> Completion {
    let record = descriptor.completion.get();
    client.driver.arena.clear(record).unwrap();
    client.driver.submit(0, false, descriptor).unwrap();
    client.driver.wait(record).unwrap()
}

fn runs_out_of_its_memory(name: &str) {
    let served = served(&format!("memory-{name}"));
    let mut client = client(&served, name);
    let fenced = Fenced::given(&served, &mut client);
    let end = MIDDLE + PAGE as u64;
    let copy = client.copy(0);
    let mut source = vec![0; COPY];
    let from = copy.source.get();
    client.driver.arena.read(from, &mut source).unwrap();

    // Writes beyond the end: what is inside is written, and nothing else.
    let beyond = Descriptor {
        destination: U64::new(end - INSIDE as u64),
        ..copy
    };
    let completion = ended(&mut client, &beyond);
    assert_eq!(completion.status, READ_FAULT | WRITE_FAULT);
    assert_eq!(completion.completed.get(), INSIDE as u32);
    assert_eq!(completion.fault_address.get(), end);
    let written = fenced.middle();
    assert_eq!(written[PAGE - INSIDE..], source[..INSIDE]);
    assert!(written[..PAGE - INSIDE].iter().all(|byte| *byte == 0xa5));

    // Writes from before the beginning: nothing is.
    let before = Descriptor {
        destination: U64::new(MIDDLE - INSIDE as u64),
        ..copy
    };
    let completion = ended(&mut client, &before);
    assert_eq!(completion.status, READ_FAULT | WRITE_FAULT);
    assert_eq!(completion.completed.get(), 0);
    assert_eq!(completion.fault_address.get(), MIDDLE - INSIDE as u64);
    assert_eq!(fenced.middle(), written);

    // Reads beyond the end.
    let reads = Descriptor {
        source: U64::new(end - INSIDE as u64),
        ..copy
    };
    let completion = ended(&mut client, &reads);
    assert_eq!(completion.status, READ_FAULT);
    assert_eq!(completion.completed.get(), INSIDE as u32);
    assert_eq!(completion.fault_address.get(), end);

    // A record there is no memory for: the register tells.
    assert_eq!(
        ErrorWord::from(client.driver.software_error().unwrap()),
        ErrorWord::new()
    );
    let lost = Descriptor {
        completion: U64::new(end),
        ..copy
    };
    client.driver.submit(0, false, &lost).unwrap();
    let mut word = ErrorWord::new();
    until("the error", || {
        word = client.driver.software_error().unwrap().into();
        word.valid()
    });
    assert_eq!(word.error(), Status::RecordPageFault.code());
    assert!(word.descriptor_valid() && word.queue_valid() && word.write());
    assert_eq!((word.queue(), word.opcode()), (0, copy.opcode()));
    client.driver.clear_software_error().unwrap();
    assert_eq!(fenced.middle(), written);

    // The device goes on, and the error was counted.
    client.round().unwrap();
    client.untouched();
    assert_eq!(device(&served, name)["errors"], 1);
}

#[test]
fn a_copy_that_leaves_its_clients_memory_ends_there_and_the_device_goes_on() {
    runs_out_of_its_memory("vdsa0");
}

#[test]
fn a_copy_that_leaves_a_functions_memory_ends_there_and_the_function_goes_on() {
    runs_out_of_its_memory("dsa");
}
