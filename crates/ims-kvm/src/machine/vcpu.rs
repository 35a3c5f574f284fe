// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A vCPU's thread: runs guest code, and does what its exits ask.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use kvm_bindings::{CpuId, KVM_MP_STATE_RUNNABLE, kvm_mp_state};
use kvm_ioctls::{VcpuExit, VcpuFd, VmFd};
use rustix::io::Errno;

use super::error::kvm_error;
use super::exits::Kind;
use super::layout::{Layout, block};
use super::payload::port;
use super::shared::Shared;
use super::{MachineError, Stopped, descriptors, irqchip, mailbox};

/// Makes vCPU `cpu`, at `entry`, its APIC off.
pub(super) fn make(
    vm: &VmFd,
    cpu: u32,
    cpuid: &CpuId,
    x2apic: bool,
    entry: u64,
) -> Result<VcpuFd, MachineError> {
    let vcpu = vm
        .create_vcpu(cpu.into())
        .map_err(kvm_error("KVM_CREATE_VCPU"))?;
    vcpu.set_cpuid2(&irqchip::cpuid_of(cpu, cpuid))
        .map_err(kvm_error("KVM_SET_CPUID2"))?;
    let sregs = vcpu.get_sregs().map_err(kvm_error("KVM_GET_SREGS"))?;
    vcpu.set_sregs(&descriptors::system_registers(sregs, cpu, x2apic))
        .map_err(kvm_error("KVM_SET_SREGS"))?;
    vcpu.set_regs(&descriptors::registers(cpu, entry))
        .map_err(kvm_error("KVM_SET_REGS"))?;
    // All but the first would wait for another to start them.
    let runnable = kvm_mp_state {
        mp_state: KVM_MP_STATE_RUNNABLE,
    };
    vcpu.set_mp_state(runnable)
        .map_err(kvm_error("KVM_SET_MP_STATE"))?;
    Ok(vcpu)
}

/// Runs the vCPU until it is told to stop or cannot go on, and says why.
pub(super) fn run(shared: &Arc<Shared>, cpu: u32, mut vcpu: VcpuFd) {
    shared.runs_here(cpu);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        loop {
            if shared.is_stopping() {
                return Stopped::Ended;
            }
            if let ControlFlow::Break(why) = step(shared, cpu, &mut vcpu) {
                return why;
            }
        }
    }));
    // It leaves the VM before anybody learns that it stopped.
    drop(vcpu);
    shared.stopped(cpu, ran.unwrap_or(Stopped::Panicked));
}

/// To the next exit, and what it asks for.
fn step(shared: &Shared, cpu: u32, vcpu: &mut VcpuFd) -> ControlFlow<Stopped> {
    let bus = &shared.bus;
    let exit = match vcpu.run() {
        Ok(exit) => exit,
        Err(error) => {
            return match Errno::from_raw_os_error(error.errno()) {
                Errno::INTR | Errno::AGAIN => {
                    shared.count(cpu, Kind::Interrupted);
                    ControlFlow::Continue(())
                }
                _ => ControlFlow::Break(Stopped::Run(error)),
            };
        }
    };
    match exit {
        VcpuExit::MmioRead(address, into) => {
            shared.count(cpu, Kind::Read);
            bus.read(cpu, address, into);
        }
        VcpuExit::MmioWrite(address, from) => {
            shared.count(cpu, Kind::Write);
            bus.write(cpu, address, from);
        }
        VcpuExit::IoOut(port::READY, _) => shared.ready(cpu),
        VcpuExit::IoOut(port::DONE, _) => {
            shared.count(cpu, Kind::Command);
            shared.done(cpu, mailbox::done(&shared.memory, cpu));
        }
        VcpuExit::IoOut(port::NOTICE, _) => {
            shared.count(cpu, Kind::Notice);
            notice(shared, cpu);
        }
        VcpuExit::IoOut(port::EXCEPTION, _) => return ControlFlow::Break(exception(shared, cpu)),
        // A split irqchip's pins are the VMM's, and nobody wants to know.
        VcpuExit::IoapicEoi(_) | VcpuExit::Intr => shared.count(cpu, Kind::Other),
        exit => {
            let exit = format!("{exit:?}");
            return ControlFlow::Break(Stopped::Exit { exit });
        }
    }
    ControlFlow::Continue(())
}

fn notice(shared: &Shared, cpu: u32) {
    let at = |field| shared.memory.load(Layout::block(cpu) + field);
    // Guest code can be written over by whoever has its memory.
    if let (Ok(vector), Ok(word)) = (
        u8::try_from(at(block::NOTICE_VECTOR)),
        u32::try_from(at(block::NOTICE_WORD)),
    ) {
        shared.bus.taken(cpu, vector, word, at(block::NOTICE_BITS));
    }
}

fn exception(shared: &Shared, cpu: u32) -> Stopped {
    let at = |field| shared.memory.load(Layout::block(cpu) + field);
    Stopped::Exception {
        vector: u8::try_from(at(block::FAULT_VECTOR)).unwrap_or(u8::MAX),
        code: at(block::FAULT_CODE),
        rip: at(block::FAULT_RIP),
        address: at(block::FAULT_ADDRESS),
    }
}
