// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A block device on a real file, with host-side interrupts.

use super::super::Outcome;
use ims::domain::Kind;
use ims::message::RequesterId;
use ims::store::CookieUse;
use ims::store::table::Table;
use ims_host::{Device, Form, Host};
use ims_virtio::BackingInterrupts;
use ims_virtio::block::{Block, BlockOptions, Disk};
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes of the file.
const BYTES: u64 = 4 << 20;
/// Bytes of each read.
pub(super) const READ: u32 = 4096;
/// Sectors of each read.
const SECTORS: u64 = READ as u64 / 512;
/// Soft CPUs that take the host-side interrupts.
const HOST_CPUS: u32 = 2;

/// The device, and what it stands on.
pub(super) struct Backed {
    pub(super) block: Arc<Block>,
    _file: Temporary,
    _host: Host,
    // Its domain's users are gone before it.
    _device: Device,
}

/// A file that is gone when this is dropped.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Temporary {
    /// With `BYTES` that differ.
    fn new() -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ims-bench-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut file = File::create_new(&path)?;
        let this = Self(path);
        io::copy(&mut io::repeat(0x5a).take(BYTES), &mut file)?;
        Ok(this)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nobody can help it.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Backed {
    /// With so many queues of `size` descriptors.
    ///
    /// # Errors
    /// No file, no thread.
    pub(super) fn new(queues: u16, size: u16) -> Outcome<Self> {
        let host = Host::new();
        let entries = u32::from(queues).next_power_of_two().max(64);
        let unit = host.add_unit(entries, 8)?;
        let space = host.add_space(HOST_CPUS, Form::Apic)?;
        let device = host.add_device(RequesterId(0x0100));
        let table = Table::new(entries, CookieUse::Opaque);
        let domain = device.add_domain(Kind::Ims, 0, &unit, table)?;
        let file = Temporary::new()?;
        let options = BlockOptions {
            queues,
            queue_size: size,
            read_only: true,
            ..BlockOptions::default()
        };
        let interrupts = BackingInterrupts::new(&host, domain, space, None);
        let block = Block::new(Disk::open(&file.0, true)?, interrupts, &options)?;
        Ok(Self {
            block: Arc::new(block),
            _file: file,
            _host: host,
            _device: device,
        })
    }
}

/// Where the `number`-th read begins.
pub(super) fn sector(number: u64) -> u64 {
    number * SECTORS % (BYTES / 512)
}
