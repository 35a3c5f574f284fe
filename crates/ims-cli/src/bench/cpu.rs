// SPDX-License-Identifier: Apache-2.0 OR MIT
//! On which CPU a thread runs, and how long it has run.

use super::Outcome;
use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// The calling thread on one CPU, with all threads it starts, until this is dropped.
/// On two, the wake-up from the one to the other takes longer than what a server
/// does, and hides it.
#[derive(Debug)]
pub(super) struct Pinned {
    before: CpuSet,
}

impl Pinned {
    /// On the last of the CPUs the thread may use: the first has other work, often.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn here() -> Outcome<Self> {
        let all = sched_getaffinity(None)?;
        let last = allowed(&all).next_back().ok_or("no CPU to run on")?;
        Self::to(&one(last))
    }

    /// # Errors
    /// What the operating system says.
    pub(super) fn to(cpus: &CpuSet) -> Outcome<Self> {
        let before = sched_getaffinity(None)?;
        sched_setaffinity(None, cpus)?;
        Ok(Self { before })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // It was allowed before; if it is not any more, nobody can help it.
        let _ = sched_setaffinity(None, &self.before);
    }
}

/// Two CPUs, if there are as many for this thread.
///
/// # Errors
/// What the operating system says.
pub(super) fn two() -> Outcome<Option<[CpuSet; 2]>> {
    let all = sched_getaffinity(None)?;
    let mut cpus = allowed(&all);
    Ok(cpus
        .next()
        .zip(cpus.next_back())
        .map(|(first, last)| [one(first), one(last)]))
}

fn allowed(set: &CpuSet) -> impl DoubleEndedIterator<Item = usize> + '_ {
    (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu))
}

fn one(cpu: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(cpu);
    set
}

/// Lets a thread of this process take a CPU from nobody: it runs when others sleep.
///
/// # Errors
/// What the operating system says.
pub(super) fn stand_back(thread: Pid) -> Outcome<()> {
    const LAST: i32 = 19;
    Ok(setpriority_process(Some(thread), LAST)?)
}

/// What a thread of this process has used of a CPU.
#[derive(Debug)]
pub(super) struct Clock(File);

impl Clock {
    /// # Errors
    /// If there is no such thread, or the kernel does not count.
    pub(super) fn of(thread: Pid) -> Outcome<Self> {
        let path = format!("/proc/self/task/{}/schedstat", thread.as_raw_nonzero());
        Ok(Self(File::open(path)?))
    }

    /// Nanoseconds until it last gave up its CPU. So exact only of a thread that
    /// does not run now, as of one on the caller's own CPU.
    ///
    /// # Errors
    /// If the thread is gone.
    pub(super) fn now(&self) -> Outcome<f64> {
        let mut text = [0; 64];
        let length = self.0.read_at(&mut text, 0)?;
        let text = std::str::from_utf8(text.get(..length).unwrap_or_default())?;
        let first = text.split(' ').next().unwrap_or_default();
        Ok(first.parse()?)
    }
}

/// All threads of this process.
///
/// # Errors
/// Without `/proc`.
pub(super) fn threads() -> Outcome<Vec<Pid>> {
    let mut threads = Vec::new();
    for entry in std::fs::read_dir("/proc/self/task")? {
        let name = entry?.file_name();
        let number = name.to_str().ok_or("a thread without a number")?.parse()?;
        threads.extend(Pid::from_raw(number));
    }
    Ok(threads)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_thread_is_pinned_as_long_as_that_lives() {
        let before = sched_getaffinity(None).unwrap();
        let pinned = Pinned::here().unwrap();
        assert_eq!(sched_getaffinity(None).unwrap().count(), 1);
        let inherited = std::thread::spawn(|| sched_getaffinity(None).unwrap().count());
        assert_eq!(inherited.join().unwrap(), 1);
        drop(pinned);
        assert_eq!(sched_getaffinity(None).unwrap().count(), before.count());
    }

    #[test]
    fn a_clock_counts_what_its_thread_does_and_not_what_it_sleeps() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(60));
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(20) {
                std::hint::spin_loop();
            }
            sender.send(rustix::thread::gettid()).unwrap();
            wait.recv().unwrap();
        });
        let clock = Clock::of(receiver.recv().unwrap()).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        let used = clock.now().unwrap();
        // A loaded machine takes some of the 20 ms away.
        assert!((1e6..60e6).contains(&used), "{used}");
        done.send(()).unwrap();
        thread.join().unwrap();
    }
}
