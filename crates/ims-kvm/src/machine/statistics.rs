// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What KVM itself counts of a vCPU. Source: Linux, `Documentation/virt/kvm/api.rst`,
//! `KVM_GET_STATS_FD`.
//!
//! ```text
//!   header 24 bytes · id · descriptors: 16 bytes and a name each · values, 64 bits each
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;
use std::os::unix::fs::FileExt;

use kvm_ioctls::VcpuFd;
use vmm_sys_util::ioctl::ioctl;
use vmm_sys_util::ioctl_io_nr;

ioctl_io_nr!(KVM_GET_STATS_FD, kvm_bindings::KVMIO, 0xce);

/// Bytes of `struct kvm_stats_header`.
const HEADER: usize = 24;
/// Bytes of `struct kvm_stats_desc` before the name.
const DESCRIPTOR: usize = 16;
/// More than any kernel has; a header that says more is not believed.
const MOST: u32 = 4096;

/// Counts of a vCPU that KVM keeps.
///
/// # Concurrency
/// On any thread, also while the vCPU runs; the counts are as far as the kernel is.
#[derive(Debug)]
pub struct Statistics {
    file: File,
    /// Where in the file a count is.
    at: BTreeMap<String, u64>,
}

impl Statistics {
    /// Of a vCPU that does not run yet: later the call would wait until it comes
    /// out of the kernel.
    pub(super) fn open(vcpu: &VcpuFd) -> io::Result<Self> {
        // SAFETY: the call takes no argument and touches no memory of ours.
        let fd = unsafe { ioctl(vcpu, KVM_GET_STATS_FD()) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: KVM has just made this descriptor for us, and nobody else knows it.
        let file = unsafe { File::from_raw_fd(fd) };
        let at = places(&file)?;
        Ok(Self { file, at })
    }

    /// A count by the name that the kernel gives it: `exits`, `mmio_exits`,
    /// `irq_injections`, … `None` where this kernel has none of that name.
    pub fn get(&self, name: &str) -> Option<u64> {
        let mut value = [0; 8];
        self.file
            .read_exact_at(&mut value, *self.at.get(name)?)
            .ok()?;
        Some(u64::from_le_bytes(value))
    }

    /// The names there are.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.at.keys().map(String::as_str)
    }
}

/// Where each count is. Of those with several values, the first.
fn places(file: &File) -> io::Result<BTreeMap<String, u64>> {
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, 0)?;
    let field = |at| word(&header, at);
    let (name_bytes, count) = (field(4)?, field(8)?);
    let (descriptors, values) = (u64::from(field(16)?), u64::from(field(20)?));
    if count > MOST || name_bytes > MOST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let bytes = DESCRIPTOR + usize::try_from(name_bytes).map_err(io::Error::other)?;
    let mut descriptor = vec![0; bytes];
    let mut at = BTreeMap::new();
    for number in 0..u64::from(count) {
        file.read_exact_at(&mut descriptor, descriptors + number * bytes as u64)?;
        let name = descriptor.get(DESCRIPTOR..).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        at.insert(name, values + u64::from(word(&descriptor, 8)?));
    }
    Ok(at)
}

fn word(bytes: &[u8], at: usize) -> io::Result<u32> {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
    word.map(|word| u32::from_le_bytes(*word))
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}
