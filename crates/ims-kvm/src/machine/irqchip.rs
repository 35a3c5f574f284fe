// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A VM with APICs in the kernel.

use std::io;
use std::sync::Arc;

use kvm_bindings::{
    CpuId, KVM_API_VERSION, KVM_CAP_SPLIT_IRQCHIP, KVM_CAP_X2APIC_API, KVM_MAX_CPUID_ENTRIES,
    KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK, KVM_X2APIC_API_USE_32BIT_IDS, kvm_enable_cap,
};
use kvm_ioctls::{Cap, Kvm, VmFd};

use super::error::kvm_error;
use super::{Config, Irqchip, MachineError};

/// APIC ids 0 to 254; 255 means all of them.
const XAPICS: u32 = 255;

/// Where old Intel CPUs have a task state to run real mode with; unused here, but
/// without it they do not run.
const TASK_STATE: usize = 0xfffb_d000;

/// A VM without memory, whose vCPUs have the CPUID that comes with it.
pub(super) fn make(config: &Config) -> Result<(Arc<VmFd>, CpuId), MachineError> {
    let kvm = Kvm::new().map_err(|error| MachineError::NoKvm(error.into()))?;
    if u32::try_from(kvm.get_api_version()) != Ok(KVM_API_VERSION) {
        return Err(MachineError::NoKvm(io::ErrorKind::Unsupported.into()));
    }
    let limit = most_vcpus(&kvm, config.x2apic);
    if config.vcpus == 0 || config.vcpus > limit {
        return Err(MachineError::Vcpus {
            vcpus: config.vcpus,
            limit,
        });
    }
    let cpuid = kvm
        .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
        .map_err(kvm_error("KVM_GET_SUPPORTED_CPUID"))?;
    let vm = kvm.create_vm().map_err(kvm_error("KVM_CREATE_VM"))?;
    vm.set_tss_address(TASK_STATE)
        .map_err(kvm_error("KVM_SET_TSS_ADDR"))?;
    match config.irqchip {
        Irqchip::InKernel => {
            need(&kvm, Cap::Irqchip, "KVM_CAP_IRQCHIP")?;
            vm.create_irq_chip()
                .map_err(kvm_error("KVM_CREATE_IRQCHIP"))?;
        }
        Irqchip::Split(pins) => {
            need(&kvm, Cap::SplitIrqchip, "KVM_CAP_SPLIT_IRQCHIP")?;
            enable(
                &vm,
                KVM_CAP_SPLIT_IRQCHIP,
                pins.into(),
                "KVM_CAP_SPLIT_IRQCHIP",
            )?;
        }
    }
    if config.x2apic {
        need(&kvm, Cap::X2ApicApi, "KVM_CAP_X2APIC_API")?;
        let flags = KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK;
        enable(&vm, KVM_CAP_X2APIC_API, flags.into(), "KVM_CAP_X2APIC_API")?;
    }
    Ok((Arc::new(vm), cpuid))
}

fn most_vcpus(kvm: &Kvm, x2apic: bool) -> u32 {
    let most = kvm.get_max_vcpus().min(kvm.get_max_vcpu_id());
    let most = u32::try_from(most).unwrap_or(u32::MAX);
    if x2apic { most } else { most.min(XAPICS) }
}

fn need(kvm: &Kvm, cap: Cap, what: &'static str) -> Result<(), MachineError> {
    if kvm.check_extension(cap) {
        Ok(())
    } else {
        Err(MachineError::Lacks { what })
    }
}

fn enable(vm: &VmFd, cap: u32, value: u64, call: &'static str) -> Result<(), MachineError> {
    let cap = kvm_enable_cap {
        cap,
        args: [value, 0, 0, 0],
        ..kvm_enable_cap::default()
    };
    vm.enable_cap(&cap).map_err(kvm_error(call))
}

/// What CPUID says on a vCPU: its APIC id is its number (SDM Vol. 2, CPUID, leaves
/// 1, Bh and 1Fh).
pub(super) fn cpuid_of(cpu: u32, all: &CpuId) -> CpuId {
    let [low, ..] = cpu.to_le_bytes();
    let mut cpuid = all.clone();
    for leaf in cpuid.as_mut_slice() {
        match leaf.function {
            0x1 => leaf.ebx = leaf.ebx & 0x00ff_ffff | u32::from(low) << 24,
            0xb | 0x1f => leaf.edx = cpu,
            _ => {}
        }
    }
    cpuid
}
