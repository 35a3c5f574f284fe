// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One boot of a guest.

use super::super::parts::Parts;
use super::child::{Child, Said, tied};
use super::console::Message;
use super::qmp::Qmp;
use crate::failure::Failure;
use crate::progress::Progress;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How much of the console is shown when something fails, in lines.
const TAIL: usize = 60;

/// The unit between a guest's devices and its memory and CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// None: a device's addresses are the guest's own.
    Absent,
    /// It translates what devices read and write.
    Translating,
    /// It remaps their interrupts, too.
    Remapping,
}

/// What a boot consists of.
#[derive(Debug)]
pub(crate) struct Config<'a> {
    pub(crate) parts: &'a Parts,
    /// The kernel.
    pub(crate) image: &'a Path,
    pub(crate) initramfs: &'a Path,
    /// The sockets of device servers, one for each device.
    pub(crate) devices: &'a [&'a Path],
    /// Where QEMU's control socket is made.
    pub(crate) place: &'a Path,
    pub(crate) cpus: u32,
    pub(crate) unit: Unit,
    /// What the kernel is told beside what every guest is.
    pub(crate) kernel: &'a [&'a str],
    /// What the first process does, in order.
    pub(crate) tests: &'a [&'a str],
    /// When it must be over.
    pub(crate) limit: Duration,
}

/// A guest under way. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Vm {
    child: Child,
    control: PathBuf,
    deadline: Instant,
}

impl Vm {
    /// Starts it.
    ///
    /// # Errors
    /// [`Failure::Start`].
    pub(crate) fn start(config: &Config<'_>) -> Result<Self, Failure> {
        let control = config.place.join("qmp");
        let mut command = config.parts.emulator.command();
        command.args(arguments(config, &control));
        Ok(Self {
            child: Child::start(&mut tied(command))?,
            control,
            deadline: Instant::now() + config.limit,
        })
    }

    /// Waits for the next thing the guest has to say; none once QEMU is over.
    ///
    /// # Errors
    /// [`Failure::Guest`] if its time is up.
    pub(crate) fn next(&mut self, progress: &Progress) -> Result<Option<Message>, Failure> {
        loop {
            match self.child.next(self.deadline) {
                Said::Line(line) => {
                    progress.note(&line);
                    if let Some(message) = Message::read(&line) {
                        return Ok(Some(message));
                    }
                }
                Said::Nothing => return Ok(None),
                Said::Late => return Err(self.failure("the guest took too long")),
            }
        }
    }

    /// Does `action` while none of the guest's CPUs runs.
    ///
    /// # Errors
    /// [`Failure::Form`] if QEMU does not do it.
    pub(crate) fn paused(&mut self, action: impl FnOnce()) -> Result<(), Failure> {
        let mut qmp = Qmp::connect(&self.control)?;
        qmp.execute("stop")?;
        action();
        qmp.execute("cont")
    }

    /// QEMU must have ended well by itself.
    ///
    /// # Errors
    /// [`Failure::Guest`].
    pub(crate) fn ended_well(&mut self) -> Result<(), Failure> {
        match self.child.ended(self.deadline) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.failure(&format!("QEMU ended with {status}"))),
            None => Err(self.failure("QEMU did not end")),
        }
    }

    /// Why the guest failed, with what its console said last.
    pub(crate) fn failure(&mut self, why: &str) -> Failure {
        Failure::Guest {
            why: why.to_owned(),
            console: tail(&without_registers(self.child.text()), TAIL).to_owned(),
        }
    }

    /// All the console said.
    pub(crate) fn console(&mut self) -> &str {
        self.child.text()
    }
}

/// The text without what QEMU prints of each CPU when it aborts, which would
/// leave no room for the reason.
fn without_registers(text: &str) -> String {
    let is_register = |line: &&str| {
        let name = line.split('=').next().unwrap_or_default().trim_end();
        let of_cpu = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        let register = line.contains('=') && (2..=6).contains(&name.len());
        line.starts_with("CPU #") || (register && name.chars().all(of_cpu))
    };
    let lines: Vec<_> = text.lines().filter(|line| !is_register(line)).collect();
    lines.join("\n")
}

/// The last `count` lines.
fn tail(text: &str, count: usize) -> &str {
    let text = text.trim_end();
    let start = text.rmatch_indices('\n').nth(count.saturating_sub(1));
    start.map_or(text, |(at, _)| text.get(at + 1..).unwrap_or(text))
}

fn arguments(config: &Config<'_>, control: &Path) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "-nodefaults -no-user-config -display none -no-reboot -serial stdio",
        "-machine q35,memory-backend=m -accel tcg -cpu max -m 1024",
        // The server maps the guest's memory through this descriptor.
        "-object memory-backend-memfd,id=m,size=1024M,share=on",
    ]
    .iter()
    .flat_map(|words| words.split(' '))
    .map(str::to_owned)
    .collect();
    let mut add = |option: &str, value: String| arguments.extend([option.to_owned(), value]);
    add("-smp", config.cpus.to_string());
    // Caching mode: QEMU's client must learn of what the guest maps.
    match config.unit {
        Unit::Absent => {}
        Unit::Translating => add("-device", "intel-iommu,intremap=off,caching-mode=on".into()),
        Unit::Remapping => add(
            "-device",
            "intel-iommu,intremap=on,eim=on,caching-mode=on".into(),
        ),
    }
    for socket in config.devices {
        let device = json!({
            "driver": "vfio-user-pci",
            "rombar": 0,
            "socket": { "type": "unix", "path": socket },
        });
        add("-device", device.to_string());
    }
    // A comma ends a value, unless it is doubled.
    let control = control.display().to_string().replace(',', ",,");
    add("-qmp", format!("unix:{control},server=on,wait=off"));
    add("-kernel", config.image.display().to_string());
    add("-initrd", config.initramfs.display().to_string());
    add("-append", command_line(config));
    arguments
}

/// What the kernel is told.
fn command_line(config: &Config<'_>) -> String {
    // Force: when it powers off the guest leaves its unit as it is. QEMU aborts if
    // the guest ends translation and there is no server left to be told.
    // Reliable: comparing the clocks of 24 emulated CPUs takes longer than all else.
    // No timer check: it counts ticks for a moment, and panics if this machine was too
    // busy to give the guest any.
    let mut words = vec![
        "console=ttyS0 panic=-1 quiet printk.devkmsg=on reboot=force tsc=reliable \
         no_timer_check mitigations=off",
    ];
    if config.unit != Unit::Absent {
        words.push("intel_iommu=on");
    }
    words.extend(config.kernel);
    format!("{} ims.tests={}", words.join(" "), config.tests.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_make_room_for_the_reason() {
        let text = "qemu: hardware error: why\nCPU #0:\nRAX=00 RBX=00\nR8 =00\nES =0000 0\n\
                    YMM00=0 0\nEFER=0\n[    1.0] IMS-TEST x ok a=1\na=1\n";
        assert_eq!(
            without_registers(text),
            "qemu: hardware error: why\n[    1.0] IMS-TEST x ok a=1\na=1"
        );
    }

    #[test]
    fn the_tail_is_the_last_lines_or_all_there_are() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a\nb", 5), "a\nb");
        assert_eq!(tail("", 5), "");
    }
}
