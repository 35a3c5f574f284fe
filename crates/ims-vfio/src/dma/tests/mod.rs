// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Maps, accesses, and taking memory away.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod access;
mod arrivals;
mod guest_memory;
mod maps;
mod messages;
mod quiet;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use vm_memory::mmap::MmapRegion;
use vm_memory::volatile_memory::{VolatileMemory, VolatileSlice};

use super::*;

/// Memory of this process.
struct Ram {
    memory: MmapRegion<()>,
    lost: AtomicBool,
}

impl Ram {
    fn new(size: usize) -> Arc<Self> {
        Arc::new(Self {
            memory: MmapRegion::new(size).unwrap(),
            lost: AtomicBool::new(false),
        })
    }

    fn fill(&self, byte: u8) {
        let slice = self.memory.as_volatile_slice();
        slice.copy_from(&vec![byte; slice.len()]);
    }

    fn bytes(&self) -> Vec<u8> {
        let slice = self.memory.as_volatile_slice();
        let mut bytes = vec![0; slice.len()];
        slice.copy_to(&mut bytes);
        bytes
    }
}

impl Backing for Ram {
    fn slice(&self, offset: u64, length: usize) -> Option<VolatileSlice<'_>> {
        let offset = usize::try_from(offset).ok()?;
        self.memory.get_slice(offset, length).ok()
    }

    fn lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }
}

fn map(address: u64, size: u64, ram: &Arc<Ram>, offset: u64) -> Map {
    let backing: Arc<dyn Backing> = ram.clone();
    Map {
        address,
        size,
        access: Access::READ_WRITE,
        memory: Some((backing, offset)),
    }
}

fn by_message(address: u64, size: u64) -> Map {
    Map {
        address,
        size,
        access: Access::READ_WRITE,
        memory: None,
    }
}

/// Memory the device is let into.
fn allowed() -> Dma {
    let dma = Dma::default();
    dma.allow();
    dma
}

/// How often a hold's last clone was dropped.
#[derive(Clone, Default)]
struct Told(Arc<AtomicU32>);

impl Told {
    fn hold(&self) -> Hold {
        let told = Arc::clone(&self.0);
        Hold::new(move || {
            told.fetch_add(1, Ordering::SeqCst);
        })
    }

    fn times(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}
