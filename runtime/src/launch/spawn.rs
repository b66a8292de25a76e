//! `spawn`: the program is executed again.

use std::ffi::OsString;

use super::guard::{BOOT_VARIABLE, reentry};
use super::plan::{Handover, Newborn};
use super::{Launched, Plan, StartError};
use crate::sys::channel::{self, Channel};
use crate::sys::exec::{self, Exec};
use crate::sys::{Object, ambient, borrow};

/// Makes the process and hands it its order; it is not waited for.
pub(crate) fn start(plan: &Plan<'_>) -> Result<Launched, StartError> {
    let reentry = reentry()?;
    let directory = plan.open_directory()?;
    let mut standard = plan.redirected();
    let null;
    let mut handover = Handover::default();
    if reentry.harness {
        // A test harness speaks before the guard is reached: it speaks to nobody, and the guard puts the output back.
        null = ambient::null_device().map_err(StartError::system("open the null device"))?;
        handover.standard = Some(plan.all_standard());
        standard[1] = Some(borrow(&null));
    }
    let boot = Boot::new(plan.environment.resolve())?;
    let handle = boot.execute(|environment, object| Exec {
        arguments: &reentry.arguments,
        environment,
        standard,
        boot: object,
        directory: directory.as_ref().map(borrow),
        group: plan.group(),
    })?;
    let newborn = Newborn::new(handle);
    plan.give_order(&boot.channel, handover)?;
    Ok(Launched { newborn, channel: boot.channel, early: Vec::new(), ready: false })
}

/// A channel to a process that is about to be executed, and the environment by which it finds its end.
#[derive(Debug)]
pub(crate) struct Boot {
    pub(crate) channel: Channel,
    /// The other end, which is to be in the new process alone.
    pub(crate) theirs: Object,
    environment: Vec<(OsString, OsString)>,
}

impl Boot {
    /// Makes the channel, and adds the boot variable to the environment.
    pub(crate) fn new(mut environment: Vec<(OsString, OsString)>) -> Result<Self, StartError> {
        let refused = || StartError::system("make a channel");
        let (channel, theirs) = Channel::pair().map_err(refused())?;
        let ticket = channel::ticket(&theirs).map_err(refused())?;
        environment.retain(|(name, _)| name != BOOT_VARIABLE);
        environment.push((BOOT_VARIABLE.into(), ticket.into()));
        Ok(Self { channel, theirs, environment })
    }

    /// Executes this program.
    pub(crate) fn execute<'a>(
        &'a self,
        exec: impl FnOnce(&'a [(OsString, OsString)], &'a Object) -> Exec<'a>,
    ) -> Result<crate::sys::process::Handle, StartError> {
        exec::start(&exec(&self.environment, &self.theirs))
            .map_err(StartError::system("execute this program again"))
    }
}
