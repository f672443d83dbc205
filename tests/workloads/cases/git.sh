# image: tools

set -e
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
git init -q -b main $HOME/one && cd $HOME/one
for d in $(seq 20); do mkdir d$d; for f in $(seq 20); do echo "$d $f" > d$d/f$f; done; done
git add -A && git commit -qm first
git clone -q $HOME/one $HOME/two && cd $HOME/two
git status --short && git log --oneline
echo changed > d1/f1 && rm d2/f2 && echo new > new && git mv d3/f3 moved
git status --short
git stash -q -u && git status --short && git stash pop -q && git add -A && git commit -qm second
git push -q origin HEAD:refs/heads/topic
cd $HOME/one && git branch -a && git merge -q topic && git log --stat --oneline | cat
git gc -q && git fsck && git count-objects -v | grep in-pack
git worktree add -q $HOME/three topic 2>&1 && git -C $HOME/three rev-parse HEAD
git clone -q --depth 1 file://$HOME/one $HOME/shallow && git -C $HOME/shallow log --oneline | wc -l
git -C $HOME/one archive --format=tar HEAD | sha256sum
