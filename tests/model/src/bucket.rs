//! What the bucket holds: uploads and files, commits, and the hint.

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// An upload that nobody sees.
    Waiting,
    Visible,
    /// Its upload was aborted.
    Aborted,
    /// It was visible, and another generation took its place.
    Removed,
}

/// A file, and the rows in it: the source numbers its rows, and a file holds a range of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct File {
    /// The process that wrote it.
    pub run: u8,
    /// The commit that it was meant for at the earliest.
    pub base: u8,
    pub rows: (u8, u8),
    pub status: Status,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Commit {
    pub run: u8,
    /// Number of its file.
    pub file: u8,
    /// Rows of the source up to which this target has all.
    pub state: u8,
    /// Whether it takes the place of all before it.
    pub overwrites: bool,
}

/// A request to create a commit, which has not arrived.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Put {
    pub sequence: u8,
    pub commit: Commit,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Bucket {
    pub files: Vec<File>,
    /// Commit 1 is the first.
    pub commits: Vec<Commit>,
    /// A commit of which all is done; 0 for none.
    pub hint: u8,
    /// Requests on their way. They may arrive long after their process has ended.
    pub puts: Vec<Put>,
    /// Whether a commit was ever written over another one.
    pub reused: bool,
}

impl Bucket {
    /// The number of the last commit.
    pub(crate) fn head(&self) -> u8 {
        u8::try_from(self.commits.len()).expect("there are a few commits")
    }

    pub(crate) fn commit(&self, sequence: u8) -> Option<&Commit> {
        self.commits.get(usize::from(sequence).checked_sub(1)?)
    }

    pub(crate) fn state(&self, sequence: u8) -> u8 {
        self.commit(sequence).map_or(0, |commit| commit.state)
    }

    pub(crate) fn file(&self, file: u8) -> &File {
        &self.files[usize::from(file)]
    }

    pub(crate) fn file_mut(&mut self, file: u8) -> &mut File {
        &mut self.files[usize::from(file)]
    }

    /// A new upload.
    pub(crate) fn stage(&mut self, file: File) -> u8 {
        self.files.push(file);
        u8::try_from(self.files.len() - 1).expect("there are a few files")
    }

    /// Files that a reader of commits finds after commit `sequence`.
    pub(crate) fn generation(&self, sequence: u8) -> Vec<u8> {
        let commits = &self.commits[..usize::from(sequence)];
        let first = commits.iter().rposition(|commit| commit.overwrites).unwrap_or(0);
        commits[first..].iter().map(|commit| commit.file).collect()
    }

    /// Files that commit `sequence` makes void.
    pub(crate) fn void(&self, sequence: u8) -> Vec<u8> {
        match self.commit(sequence) {
            Some(commit) if commit.overwrites => self.generation(sequence - 1),
            _ => Vec::new(),
        }
    }
}
