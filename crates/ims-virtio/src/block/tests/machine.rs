// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A block device on a file of its own, and a driver with buffers for each queue.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use ims_vfio::Hold;
use vm_memory::bitmap::BS;
use vm_memory::guest_memory::GuestMemorySliceIterator;
use vm_memory::{Bytes, GuestAddress, GuestMemory, GuestMemoryError, GuestMemoryMmap, Permissions};

use crate::block::{Block, BlockOptions, Disk};
use crate::device::{Device, Setup};
use crate::layout::block::request;
use crate::memory::Memory;
use crate::queues::testing::{Backing, Driver, PATIENCE, RINGS, Ram, Told, backing, ram};

/// Bytes of a queue: its rings, and what is left for buffers.
pub(super) const AREA: u64 = 0x20000;

/// Sectors of the file.
pub(super) const SECTORS: u64 = 512;

/// A file in the system's directory for such; gone when this is dropped.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new(bytes: u64) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ims-block-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        File::create(&path).unwrap().set_len(bytes).unwrap();
        Self(path)
    }

    pub(super) fn read(&self, offset: u64, bytes: usize) -> Vec<u8> {
        let mut read = vec![0; bytes];
        let file = File::open(&self.0).unwrap();
        file.read_exact_at(&mut read, offset).unwrap();
        read
    }

    pub(super) fn write(&self, offset: u64, data: &[u8]) {
        let file = OpenOptions::new().write(true).open(&self.0).unwrap();
        file.write_all_at(data, offset).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

pub(super) struct Machine {
    pub(super) block: Arc<Block>,
    pub(super) file: Scratch,
    pub(super) ram: Ram,
    pub(super) told: Arc<Told>,
    pub(super) drivers: Vec<Driver>,
    pub(super) backing: Backing,
}

impl Machine {
    /// Made, not started.
    pub(super) fn new(options: &BlockOptions) -> Self {
        let file = Scratch::new(SECTORS * 512);
        let disk = Disk::open(&file.0, options.read_only).unwrap();
        Self::with(file, disk, options)
    }

    /// On another disk than a file.
    pub(super) fn on(disk: Disk, options: &BlockOptions) -> Self {
        Self::with(Scratch::new(0), disk, options)
    }

    fn with(file: Scratch, disk: Disk, options: &BlockOptions) -> Self {
        // Not one entry more than it needs.
        let backing = backing(2, options.queues.into());
        let block = Block::new(disk, backing.interrupts.clone(), options).unwrap();
        let ram = ram((AREA * u64::from(options.queues)) as usize);
        let drivers = (0..options.queues)
            .map(|queue| Driver::new(&ram, AREA * u64::from(queue), options.queue_size))
            .collect();
        Self {
            block: Arc::new(block),
            file,
            ram,
            told: Arc::default(),
            drivers,
            backing,
        }
    }

    pub(super) fn started(options: &BlockOptions, features: u64) -> Self {
        let machine = Self::new(options);
        machine.start(Arc::clone(&machine.ram), features);
        machine
    }

    pub(super) fn start<M: Memory>(&self, memory: M, features: u64) {
        let queues = self.drivers.iter().map(|driver| Some(driver.queue()));
        let setup = Setup::new(memory, features, queues.collect(), self.told.notifier());
        self.block.start(setup).unwrap();
    }

    /// Other memory for a device that has not started.
    pub(super) fn replace_ram(&mut self, ram: &Ram) {
        self.ram = Arc::clone(ram);
        self.renew_drivers();
    }

    fn renew_drivers(&mut self) {
        let renew = |driver: &Driver| Driver::new(&self.ram, driver.base, driver.size);
        self.drivers = self.drivers.iter().map(renew).collect();
    }

    /// Stops it, and returns when it has let go.
    pub(super) fn reset(&self) {
        let (gone, is_gone) = mpsc::channel();
        self.stop(Hold::new(move || {
            let _ = gone.send(());
        }));
        is_gone.recv_timeout(PATIENCE).unwrap();
    }

    /// As a driver that begins anew.
    pub(super) fn restart(&mut self, features: u64) {
        self.reset();
        self.renew_drivers();
        self.start(Arc::clone(&self.ram), features);
    }

    pub(super) fn stop(&self, hold: Hold) {
        Device::<Ram>::stop(&*self.block, hold);
    }

    pub(super) fn notify(&self, queue: u16) {
        Device::<Ram>::notify(&*self.block, queue);
    }

    /// Where the buffers of a queue are.
    pub(super) fn buffers(&self, queue: u16) -> u64 {
        AREA * u64::from(queue) + RINGS
    }

    /// Waits until a chain of `queue` is used.
    pub(super) fn wait_used(&mut self, queue: u16) -> (u16, u32) {
        let driver = &mut self.drivers[usize::from(queue)];
        let mut taken = None;
        self.told.wait(|_| {
            taken = taken.or_else(|| driver.take());
            taken.is_some()
        });
        taken.unwrap()
    }

    /// Does one request and waits for it: its status and the bytes written.
    pub(super) fn request(
        &mut self,
        queue: u16,
        kind: u32,
        sector: u64,
        data: (u64, u32),
        write: bool,
    ) -> (u8, u32) {
        let base = self.buffers(queue);
        let (header, status) = (base, base + 16);
        put_header(&self.ram, header, kind, sector);
        self.ram.write_obj(0xff_u8, GuestAddress(status)).unwrap();
        let mut buffers = vec![(header, request::BYTES as u32, false)];
        if data.1 > 0 {
            buffers.push((data.0, data.1, write));
        }
        buffers.push((status, 1, true));
        let driver = &mut self.drivers[usize::from(queue)];
        let head = driver.add(&buffers).unwrap();
        self.notify(queue);
        let (used, written) = self.wait_used(queue);
        assert_eq!(used, head);
        let status = self.ram.read_obj(GuestAddress(status)).unwrap();
        (status, written)
    }
}

/// Memory whose sessions are not to be had, or end, as a script says; what is beyond
/// the script is good.
#[derive(Clone)]
pub(super) struct Scripted {
    pub(super) ram: Ram,
    pub(super) script: Arc<Mutex<VecDeque<Entry>>>,
}

/// What becomes of one session.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry {
    Good,
    Absent,
    /// It ends after so many accesses.
    Ends(u32),
}

/// A session that ends.
pub(super) struct Fading {
    ram: Ram,
    left: Mutex<u32>,
}

impl Memory for Scripted {
    type Session = Fading;

    fn enter(&self) -> Option<Arc<Fading>> {
        let next = self.script.lock().unwrap().pop_front();
        let left = match next.unwrap_or(Entry::Good) {
            Entry::Good => u32::MAX,
            Entry::Absent => return None,
            Entry::Ends(left) => left,
        };
        Some(Arc::new(Fading {
            ram: Arc::clone(&self.ram),
            left: Mutex::new(left),
        }))
    }
}

impl GuestMemory for Fading {
    type PhysicalMemory = GuestMemoryMmap<()>;
    type Bitmap = ();

    fn check_range(&self, address: GuestAddress, count: usize, access: Permissions) -> bool {
        GuestMemory::check_range(&*self.ram, address, count, access)
    }

    fn get_slices<'a>(
        &'a self,
        address: GuestAddress,
        count: usize,
        access: Permissions,
    ) -> Result<impl GuestMemorySliceIterator<'a, BS<'a, ()>>, GuestMemoryError> {
        let mut left = self.left.lock().unwrap();
        *left = left
            .checked_sub(1)
            .ok_or(GuestMemoryError::InvalidGuestAddress(address))?;
        drop(left);
        GuestMemory::get_slices(&*self.ram, address, count, access)
    }
}

pub(super) fn put_header(ram: &Ram, at: u64, kind: u32, sector: u64) {
    ram.write_obj(kind, GuestAddress(at)).unwrap();
    ram.write_obj(0_u32, GuestAddress(at + 4)).unwrap();
    ram.write_obj(sector, GuestAddress(at + 8)).unwrap();
}

pub(super) fn bytes(ram: &Ram, at: u64, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    ram.read_slice(&mut bytes, GuestAddress(at)).unwrap();
    bytes
}
