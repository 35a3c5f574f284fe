// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is behind the device: a file, and a host whose interrupts complete queues.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ims::domain::Kind;
use ims::message::RequesterId;
use ims::store::CookieUse;
use ims::store::table::Table;
use ims_host::{Device, Form, Host};
use ims_virtio::BackingInterrupts;
use ims_virtio::block::{Block, BlockOptions, Disk};

/// A file of the test's own, gone with the value.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(bytes: u64) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ims-virtio-functions-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        File::create_new(&path).unwrap().set_len(bytes).unwrap();
        Self(path)
    }

    pub fn contents(&self) -> Vec<u8> {
        std::fs::read(&self.0).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A host with two CPUs, and an entry for each queue.
pub struct Backing {
    interrupts: BackingInterrupts,
    _device: Device,
    _host: Host,
}

impl Backing {
    pub fn new() -> Self {
        let host = Host::new();
        let unit = host.add_unit(256, 4).unwrap();
        let space = host.add_space(2, Form::Apic).unwrap();
        let device = host.add_device(RequesterId(0x0100));
        let table = Table::new(64, CookieUse::Opaque);
        let domain = device.add_domain(Kind::Ims, 0, &unit, table).unwrap();
        Self {
            interrupts: BackingInterrupts::new(&host, domain, space, None),
            _device: device,
            _host: host,
        }
    }

    pub fn block(&self, scratch: &Scratch, queues: u16) -> Arc<Block> {
        let options = BlockOptions {
            queues,
            queue_size: 64,
            ..BlockOptions::default()
        };
        let disk = Disk::open(&scratch.0, false).unwrap();
        Arc::new(Block::new(disk, self.interrupts.clone(), &options).unwrap())
    }
}
