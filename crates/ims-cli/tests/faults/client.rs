// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A client that knows of every byte of its memory what must be there.
//!
//! ```text
//!   guard │ source │ guard │ target: a place each │ guard │ records │ guard
//! ```
//!
//! Everything but targets and records is a pattern of its own, so a write that
//! strays is found, and so is data of somebody else.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ims_dsa::layout::{Descriptor, Flags, Opcode};
use ims_dsa_driver::{Driver, DriverError, Group, Queue};
use zerocopy::little_endian::{U16, U32, U64};

/// Vectors of a client: the miscellaneous one, and two for its queue.
pub const VECTORS: u16 = 3;
/// Copies a client has under way.
pub const WINDOW: usize = 16;
pub const COPY: usize = 1024;

pub const MEMORY: usize = 0x2_0000;
const SOURCE: usize = 0x1000;
const SOURCE_SIZE: usize = 0x8000;
const TARGET: usize = 0xa000;
const TARGET_SIZE: usize = WINDOW * COPY;
const RECORDS: usize = 0x1_0000;
/// Records there is room for: of copies, and then of what tests like.
pub const RECORD_PLACES: usize = 64;
const RECORDS_SIZE: usize = RECORD_PLACES * 32;
/// A page that no copy of [`Client::begin`] touches, for tests' own use: checked
/// with all else.
pub const SPARE: usize = 0x1_8000;

pub const LIMIT: Duration = Duration::from_secs(60);

/// Waits for what must happen.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::yield_now();
    }
}

pub struct Client {
    pub driver: Driver,
    /// Of vectors 1 and following.
    pub handles: Vec<u16>,
    /// What the whole memory must be, but for targets and records.
    pattern: Vec<u8>,
    /// Where the copy into each place comes from.
    sources: [usize; WINDOW],
    /// Descriptors submitted.
    pub submitted: u64,
    /// How many of them ask for vector 1 and following.
    pub asked: [u64; VECTORS as usize - 1],
    /// Signals of vector 1 and following.
    pub signals: [u64; VECTORS as usize - 1],
}

/// A pattern that depends on place and owner.
fn pattern(mark: u32) -> Vec<u8> {
    let mut state = mark.wrapping_mul(0x9e37_79b9) | 1;
    (0..MEMORY)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[1]
        })
        .collect()
}

impl Client {
    /// Drives the device at `socket`: enabled, with a handle for each vector of a
    /// queue.
    pub fn open(socket: &Path) -> Result<Self, DriverError> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let mark = NEXT.fetch_add(1, Ordering::Relaxed);
        let driver = Driver::open(socket, MEMORY as u64, VECTORS)?;
        let mut client = Self {
            driver,
            handles: Vec::new(),
            pattern: pattern(mark),
            sources: [SOURCE; WINDOW],
            submitted: 0,
            asked: [0; 2],
            signals: [0; 2],
        };
        let base = client.driver.arena.base();
        client.driver.arena.write(base, &client.pattern)?;
        client.enable()?;
        Ok(client)
    }

    /// Enables the device and its queue, configured first where that is software's,
    /// and asks for handles.
    pub fn enable(&mut self) -> Result<(), DriverError> {
        if self.driver.facts().general.configurable() {
            let group = Group {
                queues: 0b1,
                engines: 0b11,
            };
            let queue = Queue {
                size: 64,
                max_transfer_shift: 23,
                ..Queue::default()
            };
            self.driver.configure_group(0, group)?;
            self.driver.configure_queue(0, queue)?;
        }
        self.driver.enable()?;
        self.driver.enable_queue(0)?;
        self.request_handles()
    }

    pub fn request_handles(&mut self) -> Result<(), DriverError> {
        self.handles = (1..VECTORS)
            .map(|vector| self.driver.request_handle(vector, false))
            .collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Where a byte is for the device.
    pub fn at(&self, offset: usize) -> u64 {
        self.driver.arena.base() + offset as u64
    }

    pub fn record(&self, place: usize) -> u64 {
        self.at(RECORDS + 32 * place)
    }

    /// The vector of copies into a place.
    fn vector(place: usize) -> usize {
        place % usize::from(VECTORS - 1)
    }

    /// The copy into a place, without an interrupt.
    pub fn copy(&self, place: usize) -> Descriptor {
        let flags = Flags::RECORD_VALID | Flags::REQUEST_RECORD;
        Descriptor {
            completion: U64::new(self.record(place)),
            source: U64::new(self.at(self.sources[place])),
            destination: U64::new(self.at(TARGET + COPY * place)),
            size: U32::new(COPY as u32),
            ..Descriptor::new(Opcode::MemoryMove, flags)
        }
    }

    /// `descriptor` with an interrupt.
    pub fn interrupting(descriptor: Descriptor, handle: u16) -> Descriptor {
        let flags = descriptor.command.get() | Flags::REQUEST_INTERRUPT.bits();
        Descriptor {
            command: U32::new(flags),
            handle: U16::new(handle),
            ..descriptor
        }
    }

    /// Submits a copy into a place, from a source that differs from the last one's,
    /// with its interrupt.
    pub fn begin(&mut self, place: usize) -> Result<(), DriverError> {
        let room = SOURCE_SIZE - COPY;
        self.sources[place] = SOURCE + (self.submitted as usize * 65) % room;
        self.again(place)
    }

    /// Submits the copy into a place once more, with the handle there is now.
    pub fn again(&mut self, place: usize) -> Result<(), DriverError> {
        let vector = Self::vector(place);
        let copy = Self::interrupting(self.copy(place), self.handles[vector]);
        self.driver.arena.clear(self.record(place))?;
        self.driver.submit(0, false, &copy)?;
        self.submitted += 1;
        self.asked[vector] += 1;
        Ok(())
    }

    /// Waits for the copy into a place, which must have succeeded.
    pub fn end(&self, place: usize) -> Result<(), DriverError> {
        let completion = self.driver.wait(self.record(place))?;
        assert_eq!(completion.status, 1, "place {place}");
        assert!(self.is_copied(place), "place {place} has other data");
        Ok(())
    }

    /// Whether a place holds what was to be copied there.
    pub fn is_copied(&self, place: usize) -> bool {
        let mut copied = [0; COPY];
        let target = self.at(TARGET + COPY * place);
        self.driver.arena.read(target, &mut copied).unwrap();
        let source = self.sources[place];
        copied == self.pattern[source..source + COPY]
    }

    /// A window of copies, and an interrupt of each vector.
    pub fn round(&mut self) -> Result<(), DriverError> {
        for place in 0..WINDOW {
            self.begin(place)?;
        }
        for place in 0..WINDOW {
            self.end(place)?;
        }
        for vector in 1..VECTORS {
            let deadline = Instant::now() + LIMIT;
            while self.take_signals(vector, Duration::from_millis(100))? == 0 {
                if self.driver.link().is_hung_up()? {
                    return Err(DriverError::HungUp);
                }
                assert!(
                    Instant::now() < deadline,
                    "vector {vector} is not signalled"
                );
            }
        }
        Ok(())
    }

    /// Signals of a vector since last asked, waited for.
    pub fn take_signals(&mut self, vector: u16, limit: Duration) -> Result<u64, DriverError> {
        let new = self.driver.vectors().wait(vector, limit)?;
        self.signals[usize::from(vector) - 1] += new;
        Ok(new)
    }

    /// Puts back what was there.
    pub fn restore(&mut self, offset: usize, length: usize) {
        let bytes = &self.pattern[offset..offset + length];
        let at = self.at(offset);
        self.driver.arena.write(at, bytes).unwrap();
    }

    /// All that this client's memory holds.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; MEMORY];
        self.driver.arena.read(self.at(0), &mut bytes).unwrap();
        bytes
    }

    /// Nothing was written but where copies of this client go.
    pub fn untouched(&self) {
        let bytes = self.bytes();
        let ends = [
            0..TARGET,
            TARGET + TARGET_SIZE..RECORDS,
            RECORDS + RECORDS_SIZE..MEMORY,
        ];
        for part in ends {
            let (found, expected) = (&bytes[part.clone()], &self.pattern[part.clone()]);
            let stray = found.iter().zip(expected).position(|(a, b)| a != b);
            assert_eq!(stray.map(|at| at + part.start), None, "a stray write");
        }
    }
}
