// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The split queue against a plain device, and against one that writes what it wants.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

use std::collections::BTreeMap;

use ims_virtio::layout::features::{RING_EVENT_IDX, RING_INDIRECT_DESC};
use ims_virtio_driver::queue::{Buffer, Options, QueueError, SplitQueue, bytes};
use ims_virtio_driver::shared::{Shared, Window};
use proptest::collection::vec;
use proptest::prelude::*;
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

const BASE: u64 = 0x1_0000;
const MEMORY: usize = 0x4000;

type Queue<'a> = SplitQueue<Window<&'a GuestMemoryMmap<()>>, 16>;

fn memory() -> GuestMemoryMmap<()> {
    GuestMemoryMmap::from_ranges(&[(GuestAddress(BASE), MEMORY)]).unwrap()
}

fn queue(memory: &GuestMemoryMmap<()>, features: u64, size: u16) -> Queue<'_> {
    let window = Window::new(memory, BASE, MEMORY).unwrap();
    let options = Options {
        size,
        table: 4,
        features,
    };
    SplitQueue::new(window, options).unwrap()
}

/// A device that keeps to the specification, written from it: 2.7.
struct Device<'a> {
    memory: &'a GuestMemoryMmap<()>,
    size: u16,
    descriptors: u64,
    driver: u64,
    device: u64,
    seen: u16,
    used: u16,
    held: Vec<(u16, Vec<Buffer>)>,
}

impl<'a> Device<'a> {
    fn new(memory: &'a GuestMemoryMmap<()>, queue: &Queue<'_>) -> Self {
        let rings = queue.rings();
        Self {
            memory,
            size: rings.size,
            descriptors: rings.descriptors,
            driver: rings.driver,
            device: rings.device,
            seen: 0,
            used: 0,
            held: Vec::new(),
        }
    }

    fn u16(&self, at: u64) -> u16 {
        self.memory.read_obj(GuestAddress(at)).unwrap()
    }

    fn descriptor(&self, table: u64, index: u16) -> (u64, u32, u16, u16) {
        let at = GuestAddress(table + u64::from(index) * 16);
        let raw: [u8; 16] = self.memory.read_obj(at).unwrap();
        (
            u64::from_le_bytes(raw[0..8].try_into().unwrap()),
            u32::from_le_bytes(raw[8..12].try_into().unwrap()),
            u16::from_le_bytes(raw[12..14].try_into().unwrap()),
            u16::from_le_bytes(raw[14..16].try_into().unwrap()),
        )
    }

    fn chain(&self, mut table: u64, mut index: u16) -> Vec<Buffer> {
        let mut found = Vec::new();
        loop {
            let (address, length, flags, next) = self.descriptor(table, index);
            if flags & 4 != 0 {
                assert!(found.is_empty(), "indirect in the middle");
                assert_eq!(flags, 4);
                (table, index) = (address, 0);
                continue;
            }
            found.push(Buffer {
                address,
                length,
                writable: flags & 2 != 0,
            });
            if flags & 1 == 0 {
                return found;
            }
            index = next;
        }
    }

    /// Takes all that is available.
    fn look(&mut self) {
        while self.seen != self.u16(self.driver + 2) {
            let place = u64::from(self.seen % self.size);
            let head = self.u16(self.driver + 4 + 2 * place);
            let chain = self.chain(self.descriptors, head);
            self.held.push((head, chain));
            self.seen = self.seen.wrapping_add(1);
        }
    }

    /// Gives one back; whether an interrupt goes with it (with the event index).
    fn give(&mut self, which: usize, written: u32) -> (u16, bool) {
        let (head, _) = self.held.remove(which);
        self.put(u32::from(head), written);
        let event = self.u16(self.driver + 4 + 2 * u64::from(self.size));
        (head, event == self.used.wrapping_sub(1))
    }

    fn put(&mut self, id: u32, written: u32) {
        let element = self.device + 4 + 8 * u64::from(self.used % self.size);
        let write = |at, value: u32| self.memory.write_obj(value, GuestAddress(at)).unwrap();
        write(element, id);
        write(element + 4, written);
        self.used = self.used.wrapping_add(1);
        self.index(self.used);
    }

    fn index(&self, used: u16) {
        self.memory
            .write_obj(used, GuestAddress(self.device + 2))
            .unwrap();
    }

    fn ask_at(&self, event: u16) {
        let at = self.device + 4 + 8 * u64::from(self.size);
        self.memory.write_obj(event, GuestAddress(at)).unwrap();
    }
}

fn one(address: u64, writable: bool) -> impl Iterator<Item = Buffer> + Clone {
    std::iter::once(Buffer {
        address,
        length: 64,
        writable,
    })
}

#[derive(Debug, Clone)]
enum Step {
    Add { readable: u8, writable: u8 },
    Look,
    Give { which: usize, written: u32 },
    Take,
    Want(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_u8, 0..4_u8).prop_map(|(readable, writable)| Step::Add { readable, writable }),
        3 => Just(Step::Look),
        4 => (any::<usize>(), 0..200_u32).prop_map(|(which, written)| Step::Give { which, written }),
        4 => Just(Step::Take),
        1 => any::<bool>().prop_map(Step::Want),
    ];
    vec(step, 0..400)
}

fn features() -> impl Strategy<Value = u64> {
    (any::<bool>(), any::<bool>()).prop_map(|(event, indirect)| {
        let event = if event { RING_EVENT_IDX } else { 0 };
        event | if indirect { RING_INDIRECT_DESC } else { 0 }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_chain_comes_back_once_with_what_the_device_wrote(
        features in features(),
        shift in 1..5_u16,
        steps in steps(),
    ) {
        let memory = memory();
        let size = 1 << shift;
        let mut queue = queue(&memory, features, size);
        let mut device = Device::new(&memory, &queue);
        let mut added: BTreeMap<u16, Vec<Buffer>> = BTreeMap::new();
        let mut back = std::collections::VecDeque::new();
        let mut number = 0;
        for step in steps {
            match step {
                Step::Add { readable, writable } => {
                    let mut buffer = |writable| {
                        number += 0x100;
                        Buffer { address: number, length: 50, writable }
                    };
                    let mut chain: Vec<_> = (0..readable).map(|_| buffer(false)).collect();
                    chain.extend((0..writable).map(|_| buffer(true)));
                    match queue.add(chain.iter().copied()) {
                        Ok(token) => prop_assert!(added.insert(token, chain).is_none()),
                        Err(QueueError::Chain) => prop_assert!(chain.is_empty() || chain.len() > usize::from(size)),
                        Err(error) => {
                            prop_assert_eq!(error, QueueError::Full);
                            prop_assert!(usize::from(queue.free()) < chain.len());
                        }
                    }
                }
                Step::Look => {
                    device.look();
                    for (head, chain) in &device.held {
                        prop_assert_eq!(Some(chain), added.get(head));
                    }
                }
                Step::Give { which, written } => if !device.held.is_empty() {
                    let which = which % device.held.len();
                    let space: u32 = device.held[which].1.iter().filter(|b| b.writable).map(|b| b.length).sum();
                    let written = written.min(space);
                    let (head, _) = device.give(which, written);
                    back.push_back((head, written));
                },
                Step::Take => {
                    let taken = queue.take().unwrap();
                    prop_assert_eq!(taken.map(|used| (used.token, used.written)), back.pop_front());
                    if let Some(used) = taken {
                        added.remove(&used.token);
                    }
                }
                Step::Want(wanted) => prop_assert_eq!(queue.want_interrupts(wanted), Ok(!back.is_empty())),
            }
            prop_assert_eq!(usize::from(queue.in_flight()), added.len());
        }
        // Whatever is left comes back, and then all descriptors are free.
        device.look();
        while !device.held.is_empty() {
            device.give(0, 0);
        }
        while queue.take().unwrap().is_some() {}
        prop_assert_eq!(queue.free(), size);
    }

    #[test]
    fn a_device_that_writes_anything_gets_nothing_done_twice(
        features in features(),
        writes in vec((any::<prop::sample::Index>(), any::<u16>(), 0..4_u8, 1..4_u8), 1..60),
    ) {
        let memory = memory();
        let mut queue = queue(&memory, features, 8);
        let length = bytes(8, 4) as u64;
        let mut in_flight = std::collections::BTreeSet::new();
        for (at, value, adds, takes) in writes {
            for _ in 0..adds {
                if let Ok(token) = queue.add(one(0x5000, true)) {
                    prop_assert!(in_flight.insert(token));
                }
            }
            queue.wants_notification();
            let at = BASE + (at.index(length as usize - 2) as u64 & !1);
            memory.write_obj(value, GuestAddress(at)).unwrap();
            for _ in 0..takes {
                match queue.take() {
                    Ok(Some(used)) => {
                        prop_assert!(in_flight.remove(&used.token));
                        prop_assert!(used.written <= 64);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        prop_assert_eq!(error, QueueError::Broken);
                        prop_assert_eq!(queue.take(), Err(QueueError::Broken));
                        prop_assert_eq!(queue.add(one(0, false)), Err(QueueError::Broken));
                        return Ok(());
                    }
                }
            }
            prop_assert_eq!(usize::from(queue.in_flight()), in_flight.len());
        }
    }
}

/// What a device may try, each on a queue with one chain of 64 writable bytes.
#[test]
fn each_lie_of_the_device_stops_the_queue() {
    type Lie = fn(&mut Device<'_>, u16);
    let lies: [(&str, Lie); 5] = [
        ("an id beyond the queue", |device, _| device.put(8, 0)),
        ("an id of more than 16 bits", |device, head| {
            device.put(0x1_0000 + u32::from(head), 0);
        }),
        ("a chain that is not in flight", |device, head| {
            device.put(u32::from(head) + 1, 0);
        }),
        ("more than there was room for", |device, head| {
            device.put(u32::from(head), 65);
        }),
        ("more chains than it had", |device, _| device.index(2)),
    ];
    for (what, lie) in lies {
        let memory = memory();
        let mut queue = queue(&memory, 0, 8);
        let mut device = Device::new(&memory, &queue);
        let head = queue.add(one(0x5000, true)).unwrap();
        lie(&mut device, head);
        assert_eq!(queue.take(), Err(QueueError::Broken), "{what}");
        assert_eq!(queue.take(), Err(QueueError::Broken), "{what}, later");
        let added = queue.add(one(0x5000, true));
        assert_eq!(added, Err(QueueError::Broken), "{what}, then");
    }
}

#[test]
fn a_chain_given_back_twice_stops_the_queue() {
    let memory = memory();
    let mut queue = queue(&memory, 0, 8);
    let mut device = Device::new(&memory, &queue);
    let first = queue.add(one(0x5000, true)).unwrap();
    queue.add(one(0x6000, true)).unwrap();
    device.put(u32::from(first), 1);
    device.put(u32::from(first), 1);
    assert_eq!(queue.take().unwrap().unwrap().token, first);
    assert_eq!(queue.take(), Err(QueueError::Broken));
}

#[test]
fn chains_that_are_none_are_refused() {
    let memory = memory();
    let mut queue = queue(&memory, 0, 2);
    let buffer = |length, writable| Buffer {
        address: 0,
        length,
        writable,
    };
    let (read, write) = (buffer(1, false), buffer(1, true));
    let huge = buffer(u32::MAX, true);
    for chain in [
        vec![],
        vec![write, read],
        vec![read, read, read],
        vec![huge, huge],
    ] {
        let added = queue.add(chain.iter().copied());
        assert_eq!(added, Err(QueueError::Chain), "{chain:?}");
    }
    assert_eq!(queue.free(), 2);
}

#[test]
fn sizes_and_memory_that_cannot_be_are_refused() {
    let memory = memory();
    let make = |at: u64, length, size, features| {
        let window = Window::new(&memory, BASE + at, length).unwrap();
        let options = Options {
            size,
            table: 4,
            features,
        };
        SplitQueue::<_, 16>::new(window, options).map(|_| ())
    };
    let needed = bytes(8, 0);
    assert_eq!(make(0, needed, 8, 0), Ok(()));
    assert_eq!(make(0, needed - 1, 8, 0), Err(QueueError::Memory));
    assert_eq!(make(8, needed, 8, 0), Err(QueueError::Memory));
    let tables = make(0, needed, 8, RING_INDIRECT_DESC);
    assert_eq!(tables, Err(QueueError::Memory));
    for size in [0, 3, 32] {
        assert_eq!(make(0, MEMORY, size, 0), Err(QueueError::Size));
    }
}

#[test]
fn the_device_is_notified_when_it_asked_for_it() {
    let memory = memory();
    let mut queue = queue(&memory, RING_EVENT_IDX, 16);
    let device = Device::new(&memory, &queue);
    assert!(!queue.wants_notification(), "nothing was added");
    device.ask_at(2);
    let add = |queue: &mut Queue<'_>| {
        queue.add(one(0x5000, false)).unwrap();
        queue.wants_notification()
    };
    assert_eq!(
        [(); 4].map(|()| add(&mut queue)),
        [false, false, true, false]
    );
    // Several at once pass it, too.
    device.ask_at(5);
    queue.add(one(0x5000, false)).unwrap();
    queue.add(one(0x5000, false)).unwrap();
    assert!(add(&mut queue));
}

#[test]
fn the_device_that_wants_none_is_not_notified() {
    let memory = memory();
    let mut queue = queue(&memory, 0, 16);
    let device = Device::new(&memory, &queue);
    queue.add(one(0x5000, false)).unwrap();
    assert!(queue.wants_notification());
    memory
        .write_obj(1_u16, GuestAddress(device.device))
        .unwrap();
    queue.add(one(0x5000, false)).unwrap();
    assert!(!queue.wants_notification());
}

#[test]
fn after_nothing_is_left_the_next_one_interrupts_for_a_whole_round_of_indices() {
    let memory = memory();
    let mut queue = queue(&memory, RING_EVENT_IDX, 16);
    let mut device = Device::new(&memory, &queue);
    for round in 0..70_000_u32 {
        queue.add(one(0x5000, true)).unwrap();
        queue.add(one(0x6000, true)).unwrap();
        device.look();
        let (_, first) = device.give(0, 1);
        let (_, second) = device.give(0, 1);
        assert_eq!((first, second), (true, false), "round {round}");
        while queue.take().unwrap().is_some() {}
    }
}

#[test]
fn who_wants_no_interrupts_gets_none_with_either_kind_of_wish() {
    for features in [0, RING_EVENT_IDX] {
        let memory = memory();
        let mut queue = queue(&memory, features, 16);
        let mut device = Device::new(&memory, &queue);
        assert_eq!(queue.want_interrupts(false), Ok(false));
        queue.add(one(0x5000, true)).unwrap();
        device.look();
        let (_, event) = device.give(0, 1);
        let flags = device.u16(device.driver);
        assert!(!event || features == 0);
        assert_eq!(flags, u16::from(features == 0));
        assert_eq!(queue.want_interrupts(true), Ok(true), "one is there");
        assert_eq!(device.u16(device.driver), 0);
    }
}

#[test]
fn words_beyond_the_window_or_across_a_word_are_none() {
    let memory = memory();
    let window = Window::new(&memory, BASE, 16).unwrap();
    assert!(window.word64(8).is_some());
    assert!(window.word64(12).is_none());
    assert!(window.word32(2).is_none());
    assert!(window.word16(16).is_none());
    assert!(window.word16(usize::MAX).is_none());
    assert!(window.read(15, &mut [0; 2]).is_none());
    assert!(window.write(8, &[1; 8]).is_some());
    assert!(Window::new(&memory, BASE, MEMORY + 1).is_none());
}
