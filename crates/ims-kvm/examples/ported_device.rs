// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A small VMM's PCI device, ported to this crate: three MSI-X vectors, for changes of
//! its configuration and for two queues. One queue is served here, the other by
//! somebody who has nothing but an eventfd, as a vhost back end has.
//!
//! `cargo run -p ims-kvm --example ported_device`

use std::error::Error;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ims::message::{Addressing, RequesterId};
use ims::msix::{BarOffset, MsixConfig};
use ims_kvm::{Interrupts, MsixDevice, Options, Pins, Trigger, Vm};

#[path = "../tests/idle_vm/mod.rs"]
mod idle_vm;

use idle_vm::IdleVm;

/// The vectors.
const CONFIGURATION: u16 = 0;
const RECEIVE: u16 = 1;
const TRANSMIT: u16 = 2;
/// Where the capability is in config space, and where the rest is in BAR 0.
const CAPABILITY: u16 = 0x40;
const TABLE: u32 = 0x2000;
const PBA: u32 = 0x3000;

/// The device. No `Arc<Mutex>` for its interrupts: what the guest writes has `&mut`, and
/// triggers have no lock.
struct Device<V: Vm> {
    msix: MsixDevice<V>,
}

impl<V: Vm> Device<V> {
    fn new(interrupts: &Interrupts<V>, slot: RequesterId) -> Result<Self, Box<dyn Error>> {
        let place = |offset| BarOffset { bir: 0, offset };
        let config = MsixConfig {
            vectors: 3,
            table: place(TABLE),
            pba: place(PBA),
        };
        let msix = interrupts.msix(config, slot)?;
        Ok(Self { msix })
    }

    /// For the thread that serves a queue.
    fn trigger(&self, vector: u16) -> Result<Trigger<V>, Box<dyn Error>> {
        Ok(self.msix.trigger(vector)?)
    }

    // What the VMM's PCI bus calls, from a vCPU's exit. What lies outside MSI-X's
    // structures is ignored there, so a real device asks its own registers first.

    fn config_write(&mut self, offset: u16, data: &[u8]) {
        if let Some(at) = offset.checked_sub(CAPABILITY) {
            self.msix.write_config(at, data);
        }
    }

    fn bar_write(&mut self, offset: u64, data: &[u8]) {
        if let Some(at) = offset.checked_sub(TABLE.into()) {
            self.msix.write_table(at, data);
        }
    }

    fn bar_read(&self, offset: u64, data: &mut [u8]) {
        if let Some(at) = offset.checked_sub(PBA.into()) {
            self.msix.read_pba(at, data);
        } else if let Some(at) = offset.checked_sub(TABLE.into()) {
            self.msix.read_table(at, data);
        }
    }
}

/// What the guest's driver does, as the exits that it causes.
struct Driver<'a, V: Vm>(&'a mut Device<V>);

impl<V: Vm> Driver<'_, V> {
    fn entry(vector: u16, field: u64) -> u64 {
        u64::from(TABLE) + u64::from(vector) * 16 + field
    }

    fn enable(&mut self) {
        self.0.config_write(CAPABILITY + 2, &[0x00, 0x80]);
    }

    fn program(&mut self, vector: u16, data: u32) {
        let fields = [(0, 0xfee0_0000), (4, 0), (8, data), (12, 0_u32)];
        for (field, value) in fields {
            self.0
                .bar_write(Self::entry(vector, field), &value.to_le_bytes());
        }
    }

    fn set_mask(&mut self, vector: u16, masked: bool) {
        self.0
            .bar_write(Self::entry(vector, 12), &u32::from(masked).to_le_bytes());
    }

    fn pending(&self) -> u64 {
        let mut word = [0; 8];
        self.0.bar_read(PBA.into(), &mut word);
        u64::from_le_bytes(word)
    }
}

/// What reaches the vCPU within a second.
fn arrived(vm: &IdleVm, count: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    let start = Instant::now();
    let mut found = Vec::new();
    while found.len() < count && start.elapsed() < Duration::from_secs(1) {
        found.extend(vm.take()?);
    }
    Ok(found)
}

fn main() -> Result<(), Box<dyn Error>> {
    let vm = match IdleVm::new() {
        Ok(vm) => vm,
        Err(error) => {
            println!("no VM with /dev/kvm ({error}); nothing to show");
            return Ok(());
        }
    };
    let options = Options {
        pins: Pins::InKernel,
        addressing: Addressing::Xapic,
        gsis: None,
    };
    // Once a VM. `IdleVm` counts KVM's calls; a VMM gives its `Arc<VmFd>`.
    let interrupts = Interrupts::new(Arc::clone(&vm.vm), options)?;
    let mut device = Device::new(&interrupts, RequesterId(0x0018))?;

    let mut driver = Driver(&mut device);
    driver.enable();
    for (vector, data) in [(CONFIGURATION, 0x41), (RECEIVE, 0x42), (TRANSMIT, 0x43)] {
        driver.program(vector, data);
    }
    println!(
        "programmed and unmasked: {} route tables written, {} eventfds made",
        vm.tables(),
        interrupts.report().eventfds
    );

    let receive = device.trigger(RECEIVE)?;
    let raised = thread::spawn(move || receive.raise());
    let raised = raised.join().map_err(|_| "the receiver died")?;
    println!("a thread of ours: {raised:?}, {:x?}", arrived(&vm, 1)?);

    let back_end = device.msix.eventfd(TRANSMIT)?;
    back_end.write(1)?;
    println!("an eventfd, at once: {:x?}", arrived(&vm, 1)?);
    for _ in 0..4 {
        back_end.write(1)?;
        arrived(&vm, 1)?;
    }
    let start = Instant::now();
    while vm.attached() == 0 && start.elapsed() < Duration::from_secs(1) {
        thread::yield_now();
    }
    println!(
        "it is busy: {} irqfd, {} tables written",
        vm.attached(),
        vm.tables()
    );

    let mut driver = Driver(&mut device);
    driver.set_mask(TRANSMIT, true);
    back_end.write(1)?;
    println!(
        "masked: pending bits {:#05b}, arrived {:?}, {} irqfds",
        driver.pending(),
        vm.take()?,
        vm.attached()
    );
    driver.set_mask(TRANSMIT, false);
    println!(
        "unmasked: arrived {:x?}, pending bits {:#05b}, {} irqfd, {} tables written",
        vm.take()?,
        driver.pending(),
        vm.attached(),
        vm.tables()
    );

    let state = device.msix.save();
    drop(device);
    println!("unplugged: {} irqfds", vm.attached());
    let mut device = Device::new(&interrupts, RequesterId(0x0020))?;
    for vector in [RECEIVE, TRANSMIT] {
        device.msix.eventfd(vector)?;
    }
    let before = vm.tables();
    let batch = interrupts.batch();
    device.msix.restore(&state)?;
    let committed = batch.commit()?;
    println!(
        "restored elsewhere: {} irqfds by {} table",
        committed.promoted,
        vm.tables() - before
    );
    let _ = device.trigger(CONFIGURATION)?.raise();
    println!("raised: {:x?}", arrived(&vm, 1)?);
    Ok(())
}
