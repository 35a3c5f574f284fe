// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device that does nothing and keeps what it was asked, for tests of transports.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use std::io;
use std::sync::{Arc, Mutex};

use ims_vfio::Hold;
use vm_memory::{GuestAddress, GuestMemoryMmap};

use crate::device::{Device, Setup, StartError};
use crate::layout::features::{RING_EVENT_IDX, RING_INDIRECT_DESC};
use crate::memory::Memory;

/// Bytes of the test's memory, from address 0.
pub(crate) const MEMORY: u64 = 1 << 20;

pub(crate) type TestMemory = Arc<GuestMemoryMmap<()>>;

pub(crate) fn memory() -> TestMemory {
    let bytes = usize::try_from(MEMORY).unwrap();
    Arc::new(GuestMemoryMmap::from_ranges(&[(GuestAddress(0), bytes)]).unwrap())
}

/// What a device was asked.
#[derive(Debug)]
pub(crate) struct Asked<M> {
    pub(crate) starts: usize,
    pub(crate) stops: usize,
    /// Of the last start.
    pub(crate) setup: Option<Setup<M>>,
    /// Kept from a stop until the test drops it.
    pub(crate) held: Vec<Hold>,
    pub(crate) notified: Vec<u16>,
    pub(crate) config: Vec<u8>,
    pub(crate) generation: u32,
}

#[derive(Debug)]
pub(crate) struct Recorder<M> {
    pub(crate) features: u64,
    pub(crate) queues: Vec<u16>,
    /// A stop goes on until the test ends it.
    pub(crate) stops_slowly: bool,
    pub(crate) fails: bool,
    pub(crate) asked: Mutex<Asked<M>>,
}

impl<M> Recorder<M> {
    pub(crate) fn new(queues: &[u16]) -> Self {
        let asked = Asked {
            starts: 0,
            stops: 0,
            setup: None,
            held: Vec::new(),
            notified: Vec::new(),
            config: (0..32).collect(),
            generation: 0,
        };
        Self {
            features: RING_INDIRECT_DESC | RING_EVENT_IDX | 1,
            queues: queues.to_vec(),
            stops_slowly: false,
            fails: false,
            asked: Mutex::new(asked),
        }
    }

    /// Lets a slow stop end.
    pub(crate) fn let_go(&self) {
        let held = std::mem::take(&mut self.asked.lock().unwrap().held);
        drop(held);
    }
}

impl<M: Memory> Device<M> for Recorder<M> {
    fn id(&self) -> u32 {
        42
    }

    fn features(&self) -> u64 {
        self.features
    }

    fn queues(&self) -> &[u16] {
        &self.queues
    }

    fn read_config(&self, offset: u64, into: &mut [u8]) {
        let asked = self.asked.lock().unwrap();
        for (at, byte) in (offset..).zip(into) {
            let at = usize::try_from(at).unwrap();
            *byte = asked.config.get(at).copied().unwrap_or(0);
        }
    }

    fn write_config(&self, offset: u64, from: &[u8]) {
        let mut asked = self.asked.lock().unwrap();
        for (at, byte) in (offset..).zip(from) {
            if let Some(to) = asked.config.get_mut(usize::try_from(at).unwrap()) {
                *to = *byte;
            }
        }
    }

    fn config_generation(&self) -> u32 {
        self.asked.lock().unwrap().generation
    }

    fn start(&self, setup: Setup<M>) -> Result<(), StartError> {
        let mut asked = self.asked.lock().unwrap();
        asked.starts += 1;
        asked.setup = Some(setup);
        if self.fails {
            return Err(StartError::Backing(io::Error::other("as the test wants")));
        }
        Ok(())
    }

    fn notify(&self, queue: u16) {
        self.asked.lock().unwrap().notified.push(queue);
    }

    fn stop(&self, hold: Hold) {
        let mut asked = self.asked.lock().unwrap();
        asked.stops += 1;
        asked.setup = None;
        if self.stops_slowly {
            asked.held.push(hold);
        }
    }
}
