// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The shape of the change that Cloud Hypervisor's interrupt manager would need.
//!
//! It has a manager that makes groups of MSI vectors, and a group that its PCI code
//! calls: update a vector's message and mask, trigger one, hand out its eventfd. The two
//! traits are told here in our own words, with the same calls; what is behind them is
//! this crate. Its PCI code changes in two places:
//!
//! - where a table write masks a vector it says so (`update` with `masked`), which it
//!   leaves out today; then what an eventfd announces is pending while masked;
//! - where the pending-bit array is read it asks the group (`pending`, which is new),
//!   because what vhost-user or VFIO announced is known there.
//!
//! A device that has an [`MsixDevice`] of its own instead needs neither group nor PCI
//! code, and no lock: see the example `ported_device`.
//!
//! `cargo run -p ims-kvm --example cloud_hypervisor`

use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ims::domain::Raised;
use ims::message::{Addressing, Message, RequesterId};
use ims::msix::{BarOffset, MsixConfig, MsixPort};
use ims_kvm::{Interrupts, MsixDevice, Options, Pins, Signal, Vm};
use vmm_sys_util::eventfd::EventFd;

#[path = "../tests/idle_vm/mod.rs"]
mod idle_vm;

use idle_vm::IdleVm;

/// What a group of vectors is made from.
trait InterruptManager: Send + Sync {
    /// A group of `count` MSI vectors for the device at `devid`.
    fn create_group(&self, devid: u16, count: u16) -> io::Result<Arc<dyn InterruptSourceGroup>>;
}

/// A device's MSI vectors, as its PCI code sees them.
trait InterruptSourceGroup: Send + Sync {
    /// The guest enabled MSI-X and unmasked the function.
    fn enable(&self) -> io::Result<()>;
    /// The reverse.
    fn disable(&self) -> io::Result<()>;
    /// The device raises a vector.
    fn trigger(&self, index: u16) -> io::Result<()>;
    /// The eventfd that raises it, for a process or a kernel module.
    fn notifier(&self, index: u16) -> Option<EventFd>;
    /// A vector has this message and mask now. `set_gsi`: let routes follow at once,
    /// rather than by a later [`InterruptSourceGroup::set_gsi`].
    fn update(&self, index: u16, message: Message, masked: bool, set_gsi: bool) -> io::Result<()>;
    /// Lets routes follow what was updated without it.
    fn set_gsi(&self) -> io::Result<()>;
    /// New: whether a vector is owed an interrupt.
    fn pending(&self, index: u16) -> bool;
}

/// The manager: no allocator of GSIs, no list of routes, no lock.
struct Manager<V: Vm>(Interrupts<V>);

/// A group. `update` has `&self` there, and that alone needs the lock; a raise takes none.
struct Group<V: Vm> {
    port: MsixPort<Signal<V>>,
    control: Mutex<MsixDevice<V>>,
}

impl<V: Vm> InterruptManager for Manager<V> {
    fn create_group(&self, devid: u16, count: u16) -> io::Result<Arc<dyn InterruptSourceGroup>> {
        // Their PCI code shows the guest capability and table; only the number counts.
        let place = |bir| BarOffset { bir, offset: 0 };
        let config = MsixConfig {
            vectors: count,
            table: place(0),
            pba: place(1),
        };
        let device = self.0.msix(config, RequesterId(devid));
        let device = device.map_err(io::Error::other)?;
        Ok(Arc::new(Group {
            port: device.port(),
            control: Mutex::new(device),
        }))
    }
}

impl<V: Vm> Group<V> {
    fn control(&self) -> MutexGuard<'_, MsixDevice<V>> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Vm> InterruptSourceGroup for Group<V> {
    fn enable(&self) -> io::Result<()> {
        self.control().set_enabled(true);
        Ok(())
    }

    fn disable(&self) -> io::Result<()> {
        self.control().set_enabled(false);
        Ok(())
    }

    fn trigger(&self, index: u16) -> io::Result<()> {
        match self.port.raise(index) {
            Raised::Refused(why) => Err(io::Error::other(why)),
            _ => Ok(()),
        }
    }

    fn notifier(&self, index: u16) -> Option<EventFd> {
        self.control().eventfd(index).ok()?.try_clone().ok()
    }

    fn update(&self, index: u16, message: Message, masked: bool, set_gsi: bool) -> io::Result<()> {
        let mut control = self.control();
        // Works at once, route or no route; a busy eventfd gets one by itself. So
        // `set_gsi` needs nothing where it cost a rewrite of all routes.
        let _ = set_gsi;
        let programmed = control.program(index, message, masked);
        programmed.map_err(io::Error::other)
    }

    fn set_gsi(&self) -> io::Result<()> {
        self.control().want_routes();
        Ok(())
    }

    fn pending(&self, index: u16) -> bool {
        let mut byte = [0];
        self.control().read_pba(u64::from(index / 8), &mut byte);
        let [byte] = byte;
        byte >> (index % 8) & 1 == 1
    }
}

/// A part of their PCI code: what it does when the guest has started.
fn start(group: &dyn InterruptSourceGroup, count: u16, first: u32) -> io::Result<()> {
    for index in 0..count {
        group.update(index, message(first + u32::from(index) % 128), false, true)?;
    }
    group.enable()
}

fn message(vector: u32) -> Message {
    Message {
        address: 0xfee0_0000,
        data: vector,
    }
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
    let interrupts = Interrupts::new(Arc::clone(&vm.vm), options)?;
    let manager = Manager(interrupts.clone());
    let slots = AtomicU16::new(0);
    let plug = |count| manager.create_group(slots.fetch_add(8, Ordering::Relaxed), count);

    let net = plug(3)?;
    start(&*net, 3, 0x40)?;
    net.trigger(1)?;
    println!("triggered: {:x?}", vm.take()?);

    let vhost = net.notifier(2).ok_or("no eventfd for vector 2")?;
    net.update(2, message(0x42), true, false)?;
    vhost.write(1)?;
    println!(
        "masked: pending {}, arrived {:?}",
        net.pending(2),
        vm.take()?
    );
    net.update(2, message(0x42), false, true)?;
    println!(
        "unmasked: pending {}, arrived {:x?}",
        net.pending(2),
        vm.take()?
    );

    // 40 functions of 257 vectors, 10,280 in all, started one after another: the VMM's
    // own routes end at 4096.
    let functions: Vec<_> = (0..40).map(|_| plug(257)).collect::<Result<_, _>>()?;
    for function in &functions {
        start(&**function, 257, 0x30)?;
    }
    // Eventfds only for those that VFIO or vhost-user would raise.
    let passed: Vec<_> = functions
        .iter()
        .filter_map(|group| group.notifier(0))
        .collect();
    let batch = interrupts.batch();
    functions.iter().try_for_each(|group| group.set_gsi())?;
    let committed = batch.commit()?;
    println!(
        "40 functions with 257 vectors: {} eventfds, {} irqfds in {} routes",
        passed.len(),
        committed.promoted,
        committed.routes
    );
    for (group, eventfd) in functions.iter().zip(&passed) {
        eventfd.write(1)?;
        group.trigger(256)?;
    }
    let report = interrupts.report();
    println!(
        "all raised: {} by irqfd, {} by message; {} route tables since the VM began",
        report.promoted, report.signalled.accepted, report.commits
    );

    functions.iter().try_for_each(|group| group.disable())?;
    drop(functions);
    println!("unplugged: {} irqfds", vm.attached());
    Ok(())
}
