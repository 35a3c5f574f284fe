// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether KVM can be had, and what is done if not.

use std::ffi::{CString, NulError};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use kvm_ioctls::{Cap, Kvm};

use crate::run::scenario::On;

/// Where KVM is.
pub(in crate::run) const KVM: &str = "/dev/kvm";

/// What a run's vCPUs really are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::run) struct Ground {
    pub(in crate::run) on: On,
    /// Why it is not what was asked for.
    pub(in crate::run) note: Option<String>,
}

/// What `asked` comes to with the KVM of `device`.
pub(in crate::run) fn ground(asked: On, device: &Path) -> Ground {
    let usable = match asked {
        On::Soft => Ok(()),
        On::Kvm => usable(device),
    };
    match usable {
        Ok(()) => Ground {
            on: asked,
            note: None,
        },
        Err(why) => Ground {
            on: On::Soft,
            note: Some(format!(
                "KVM was asked for, but {} cannot be used ({why}): the VMs have soft CPUs",
                device.display()
            )),
        },
    }
}

/// Why KVM cannot be had.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("its name has a byte of zeros in it")]
    Name(#[from] NulError),
    #[error("{0}")]
    System(#[from] io::Error),
    #[error("it answers like no KVM")]
    Version,
    #[error("it has no {0}")]
    Lacks(&'static str),
}

/// What KVM calls itself since it is stable (`KVM_GET_API_VERSION`).
const VERSION: i32 = 12;

/// Looks whether a VM that takes messages can be made.
fn usable(device: &Path) -> Result<(), Unusable> {
    let system = |error: kvm_ioctls::Error| io::Error::from(error);
    let kvm = Kvm::new_with_path(CString::new(device.as_os_str().as_bytes())?).map_err(system)?;
    if kvm.get_api_version() != VERSION {
        return Err(Unusable::Version);
    }
    for (capability, what) in [
        (Cap::Irqchip, "interrupt controllers in the kernel"),
        (Cap::SignalMsi, "KVM_SIGNAL_MSI"),
    ] {
        if !kvm.check_extension(capability) {
            return Err(Unusable::Lacks(what));
        }
    }
    kvm.create_vm().map_err(system)?;
    Ok(())
}
