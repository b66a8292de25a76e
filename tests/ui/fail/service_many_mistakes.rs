//! Methods that cannot be called from elsewhere, all of which are told at once.

struct Book(Vec<String>);

#[offspring::service]
impl Book {
    pub fn line(&self, number: usize) -> &str {
        &self.0[number]
    }

    pub fn add(&mut self, line: &str) {
        self.0.push(line.into());
    }

    pub fn add_two(&mut self, (one, two): (String, String)) {
        self.0.extend([one, two]);
    }

    pub fn into_lines(self) -> Vec<String> {
        self.0
    }

    pub fn with_cancel(&self) {}

    pub fn show<T: std::fmt::Display>(&mut self, what: T) {
        self.0.push(what.to_string());
    }

    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0.clone().into_iter()
    }

    pub fn with_timeout(&self) {}
}

/// Whoever uses it has no more errors for that: there is a proxy that has what could be understood.
fn read(book: &BookProxy) -> Result<(), offspring::CallError> {
    use offspring::manager::Proxy as _;
    book.add("a line")?;
    book.add_two((String::new(), String::new()))?;
    book.show(book.line(0)?)?;
    book.start_show(1)?.wait()?;
    book.with_timeout(std::time::Duration::from_secs(1)).into_lines()?.len();
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manager = offspring::Manager::start()?;
    read(&manager.create(|| Book(Vec::new()), ())?)?;
    Ok(())
}
