// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Memory of a client in frames, of which some are mapped; the others, and what is
//! mapped read-only, must stay as they are.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ims_vfio::dma::{Access, Backing, Map};
use vm_memory::mmap::MmapRegion;
use vm_memory::{Bytes, VolatileMemory, VolatileSlice};

pub const FRAME: u64 = 0x1000;
/// Frames; as many as there are, again, lie between them and are nobody's.
pub const FRAMES: u64 = 6;
/// Where the first frame is mapped. They follow each other, without gaps.
pub const BASE: u64 = 0x10_0000;

const UNTOUCHED: u8 = 0xa5;

struct Ram(MmapRegion<()>);

impl Backing for Ram {
    fn slice(&self, offset: u64, length: usize) -> Option<VolatileSlice<'_>> {
        self.0.get_slice(usize::try_from(offset).ok()?, length).ok()
    }
}

/// What may be done with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    Absent,
    ReadOnly,
    Writable,
}

pub struct Memory {
    ram: Arc<Ram>,
    pub frames: [Frame; FRAMES as usize],
    /// The device may touch nothing at all.
    pub blocked: bool,
}

fn offset(frame: u64) -> u64 {
    (2 * frame + 1) * FRAME
}

impl Memory {
    pub fn new() -> Self {
        let size = (2 * FRAMES + 1) * FRAME;
        let this = Self {
            ram: Arc::new(Ram(MmapRegion::new(size as usize).unwrap())),
            frames: [Frame::Absent; FRAMES as usize],
            blocked: true,
        };
        for page in 0..=2 * FRAMES {
            this.fill(page * FRAME);
        }
        this
    }

    fn fill(&self, offset: u64) {
        let bytes = [UNTOUCHED; FRAME as usize];
        let all = self.ram.0.as_volatile_slice();
        all.write_slice(&bytes, offset as usize).unwrap();
    }

    fn check(&self, offset: u64) {
        let mut bytes = [0; FRAME as usize];
        let all = self.ram.0.as_volatile_slice();
        all.read_slice(&mut bytes, offset as usize).unwrap();
        let touched = bytes.iter().position(|byte| *byte != UNTOUCHED);
        assert_eq!(touched, None, "written outside the maps, at {offset:#x}");
    }

    /// What the device may not write is as it was.
    pub fn check_all(&self) {
        for page in 0..=FRAMES {
            self.check(2 * page * FRAME);
        }
        for (frame, is) in (0..).zip(self.frames) {
            if is != Frame::Writable || self.blocked {
                self.check(offset(frame));
            }
        }
    }

    /// The device says that it touches nothing now: that is held against it.
    pub fn block(&mut self) {
        self.blocked = true;
        for frame in 0..FRAMES {
            self.fill(offset(frame));
        }
    }

    pub fn allow(&mut self) {
        self.check_all();
        self.blocked = false;
    }

    pub fn map(&mut self, frame: u64, writable: bool) -> Map {
        self.check_all();
        let (is, access) = if writable {
            (Frame::Writable, Access::READ_WRITE)
        } else {
            (Frame::ReadOnly, Access::READ)
        };
        self.frames[frame as usize] = is;
        Map {
            address: BASE + frame * FRAME,
            size: FRAME,
            access,
            memory: Some((self.ram.clone(), offset(frame))),
        }
    }

    /// The frame is the client's alone from now on.
    pub fn unmapped(&mut self, frame: u64) {
        self.fill(offset(frame));
        self.frames[frame as usize] = Frame::Absent;
        self.check_all();
    }

    /// The client itself writes, where the device may too.
    pub fn poke(&self, frame: u64, at: u64, bytes: &[u8]) {
        if self.frames[frame as usize] == Frame::Writable && !self.blocked {
            let at = at % (FRAME - bytes.len() as u64);
            let all = self.ram.0.as_volatile_slice();
            all.write_slice(bytes, (offset(frame) + at) as usize)
                .unwrap();
        }
    }

    /// The first byte of a frame, as who polls a completion record reads it.
    pub fn status(&self, frame: u64) -> u8 {
        let all = self.ram.0.as_volatile_slice();
        all.load(offset(frame) as usize, Ordering::Acquire).unwrap()
    }
}
