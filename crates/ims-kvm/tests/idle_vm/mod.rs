// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A VM whose one vCPU never runs, so that what it is sent stays in its APIC to be
//! looked at; and a count of what KVM was asked for.
#![allow(unreachable_pub, dead_code, reason = "each user needs some of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ims_kvm::Vm;
use kvm_bindings::{kvm_irq_routing_entry, kvm_lapic_state, kvm_msi};
use kvm_ioctls::{Kvm, VcpuFd, VmFd};
use rustix::io::Errno;
use vmm_sys_util::eventfd::EventFd;

/// The spurious-interrupt vector register, whose bit 8 turns the APIC on.
const SPURIOUS: usize = 0xf0;
/// The first of the eight interrupt request registers, 32 vectors each.
const REQUESTS: usize = 0x200;
/// APIC registers are this far apart.
const STRIDE: usize = 0x10;

/// The VM.
pub struct IdleVm {
    pub vm: Arc<Counting>,
    cpu: VcpuFd,
}

/// KVM's VM, with its calls counted.
pub struct Counting {
    pub fd: VmFd,
    /// Messages signalled.
    pub signals: AtomicUsize,
    /// Route tables written.
    pub tables: AtomicUsize,
    /// Routes in the last one that KVM took.
    pub routes: AtomicUsize,
    /// Irqfds made, less those undone.
    pub attached: AtomicUsize,
}

impl IdleVm {
    /// # Errors
    /// `/dev/kvm` cannot be used.
    pub fn new() -> Result<Self, kvm_ioctls::Error> {
        let fd = Kvm::new()?.create_vm()?;
        fd.create_irq_chip()?;
        let cpu = fd.create_vcpu(0)?;
        let mut apic = cpu.get_lapic()?;
        set(&mut apic, SPURIOUS, 0x1ff);
        cpu.set_lapic(&apic)?;
        let vm = Counting {
            fd,
            signals: AtomicUsize::new(0),
            tables: AtomicUsize::new(0),
            routes: AtomicUsize::new(0),
            attached: AtomicUsize::new(0),
        };
        let vm = Arc::new(vm);
        Ok(Self { vm, cpu })
    }

    /// For a test: says why it is skipped if there can be no VM.
    pub fn or_skip(test: &str) -> Option<Self> {
        match Self::new() {
            Ok(vm) => Some(vm),
            Err(error) => {
                eprintln!("SKIPPED {test}: no VM with /dev/kvm: {error}");
                None
            }
        }
    }

    /// Vectors the vCPU has been sent and not taken, as it never does.
    ///
    /// # Errors
    /// KVM does not say.
    pub fn requested(&self) -> Result<Vec<u8>, kvm_ioctls::Error> {
        Ok(requests(&self.cpu.get_lapic()?))
    }

    /// The same, and they are taken. What is sent while it does so is lost: look first
    /// whether all is there.
    ///
    /// # Errors
    /// KVM does not say.
    pub fn take(&self) -> Result<Vec<u8>, kvm_ioctls::Error> {
        let mut apic = self.cpu.get_lapic()?;
        let found = requests(&apic);
        if !found.is_empty() {
            (0..8).for_each(|register| set(&mut apic, REQUESTS + register * STRIDE, 0));
            self.cpu.set_lapic(&apic)?;
        }
        Ok(found)
    }

    pub fn signals(&self) -> usize {
        self.vm.signals.load(Ordering::SeqCst)
    }

    pub fn tables(&self) -> usize {
        self.vm.tables.load(Ordering::SeqCst)
    }

    pub fn routes(&self) -> usize {
        self.vm.routes.load(Ordering::SeqCst)
    }

    pub fn attached(&self) -> usize {
        self.vm.attached.load(Ordering::SeqCst)
    }
}

fn get(apic: &kvm_lapic_state, at: usize) -> u32 {
    let mut bytes = [0; 4];
    for (byte, register) in bytes.iter_mut().zip(apic.regs.iter().skip(at)) {
        *byte = register.cast_unsigned();
    }
    u32::from_le_bytes(bytes)
}

fn set(apic: &mut kvm_lapic_state, at: usize, value: u32) {
    for (register, byte) in apic.regs.iter_mut().skip(at).zip(value.to_le_bytes()) {
        *register = byte.cast_signed();
    }
}

fn requests(apic: &kvm_lapic_state) -> Vec<u8> {
    let set = |vector: &u8| {
        let register = get(apic, REQUESTS + usize::from(vector / 32) * STRIDE);
        register >> (vector % 32) & 1 == 1
    };
    (0..=u8::MAX).filter(set).collect()
}

impl Vm for Counting {
    fn signal(&self, message: kvm_msi) -> Result<bool, Errno> {
        self.signals.fetch_add(1, Ordering::SeqCst);
        self.fd.signal(message)
    }

    fn set_routes(&self, routes: &[kvm_irq_routing_entry]) -> Result<(), Errno> {
        self.tables.fetch_add(1, Ordering::SeqCst);
        self.fd.set_routes(routes)?;
        self.routes.store(routes.len(), Ordering::SeqCst);
        Ok(())
    }

    fn attach(&self, eventfd: &EventFd, gsi: u32) -> Result<(), Errno> {
        self.fd.attach(eventfd, gsi)?;
        self.attached.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn detach(&self, eventfd: &EventFd, gsi: u32) -> Result<(), Errno> {
        self.fd.detach(eventfd, gsi)?;
        self.attached.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    fn max_routes(&self) -> u32 {
        self.fd.max_routes()
    }

    fn takes_device_ids(&self) -> bool {
        self.fd.takes_device_ids()
    }
}
