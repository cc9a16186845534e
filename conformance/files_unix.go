//go:build unix

package conformance

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// nobody is the user that stands for "not root" and for "somebody else".
const nobody = 65534

// files are the cases about what lies on disk.
var files = []testCase{
	{id: "P6", about: "a store that cannot be read or written", applies: static, lacks: lacksOtherUser, run: func(p *probe) {
		unreadable(p.apart("unreadable"))
		readOnly(p.apart("read-only"))
		homeless(p.apart("homeless"))
	}},
	{id: "P6", about: "a store that is open to others", applies: static, run: func(p *probe) {
		linked(p.apart("linked"))
		masked(p.apart("masked"))
	}},
	{id: "P6", about: "a store of another user", applies: static, lacks: lacksRoot, run: func(p *probe) {
		const secret = "p6-secret"
		if !p.stores(p.Host, p.Username, secret) {
			return
		}
		p.each(func(path string, _ fs.DirEntry) error { return os.Lchown(path, nobody, nobody) })
		if o := p.get(p.Host); strings.Contains(o.stdout, secret) || !o.isRefusal() {
			p.sawf("get from a store of another user: %s, want a failure", o)
		}
		p.refuses("store into a store of another user", p.store(p.Host, p.Username, "other"))
	}},
}

func lacksRoot(Helper) string {
	if os.Geteuid() != 0 {
		return "not root: run the test with sudo, or as root in a container"
	}
	return ""
}

// lacksOtherUser: root reads and writes whatever it likes, so that root runs the helper as nobody.
func lacksOtherUser(h Helper) string {
	if os.Geteuid() == 0 && !isExecutableBy(h, nobody) {
		return h.Path + " cannot be run by another user: put it where everybody may read it"
	}
	return ""
}

// unprivileged runs the helper as a user whom permissions stop.
func (p *probe) unprivileged() {
	if os.Geteuid() != 0 {
		return
	}
	p.each(func(path string, _ fs.DirEntry) error { return os.Lchown(path, nobody, nobody) })
	p.adjust = func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
}

// each calls f for everything below the home.
func (p *probe) each(f func(path string, d fs.DirEntry) error) {
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return f(path, d)
	})
	if err != nil {
		p.sawf("the suite cannot go through the files: %v", err)
	}
}

// chmod changes all folders and files of the home, the innermost first.
func (p *probe) chmod(folders, files fs.FileMode) {
	var paths []string
	p.each(func(path string, d fs.DirEntry) error {
		if d.Type().IsRegular() {
			return os.Chmod(path, files)
		}
		if d.IsDir() && path != p.dir {
			paths = append(paths, path)
		}
		return nil
	})
	for i := len(paths) - 1; i >= 0; i-- {
		if err := os.Chmod(paths[i], folders); err != nil {
			p.sawf("the suite cannot change permissions: %v", err)
		}
	}
}

func unreadable(p *probe) {
	const secret = "p6-secret"
	p.unprivileged()
	if !p.stores(p.Host, p.Username, secret) {
		return
	}
	p.chmod(0o700, 0)
	p.refuses("get from a store whose files cannot be read", p.get(p.Host))
	p.listed()
	p.chmod(0o700, 0o600)
	p.gives(p.Host, p.Username, secret)
	p.chmod(0, 0o600)
	p.refuses("get from a store whose folders cannot be read", p.get(p.Host))
	p.listed()
	_ = os.Chmod(filepath.Join(p.dir, "home"), 0o700)
	_ = exec.Command("chmod", "-R", "u+rwX", p.dir).Run() // so that it can be removed
}

func readOnly(p *probe) {
	const secret = "p6-secret"
	p.unprivileged()
	if !p.stores(p.Host, p.Username, secret) {
		return
	}
	p.chmod(0o500, 0o400)
	p.gives(p.Host, p.Username, secret)
	if entries := p.listed(); len(entries) != 1 {
		p.sawf("list of a read-only store: %q, want one entry", entries)
	}
	p.refuses("store into a read-only store", p.store(p.Host, p.Username, "other"))
	p.gives(p.Host, p.Username, secret)
	p.chmod(0o700, 0o600)
	p.gives(p.Host, p.Username, secret)

	empty := p.apart("empty")
	empty.unprivileged()
	empty.chmod(0o500, 0o400)
	empty.givesNothing(empty.Host)
	empty.listed()
	empty.refuses("store where nothing can be made", empty.store(empty.Host, empty.Username, secret))
	empty.chmod(0o700, 0o600)
}

// homeless: there is no place for a store.
func homeless(p *probe) {
	p.nowhere()
	p.givesNothing(p.Host)
	p.listed()
	p.refuses("store without a place for it", p.store(p.Host, p.Username, "p6-secret"))
	var env []string
	for _, entry := range p.env {
		if !strings.Contains(entry, p.dir) {
			env = append(env, entry)
		}
	}
	p.env = env
	p.givesNothing(p.Host)
	p.listed()
}

// linked replaces what is in the store by links to it.
func linked(p *probe) {
	const secret = "p6-secret"
	if !p.stores(p.Host, p.Username, secret) {
		return
	}
	elsewhere := filepath.Join(p.dir, "tmp")
	contents := map[string]string{}
	p.each(func(path string, d fs.DirEntry) error {
		if !d.Type().IsRegular() || filepath.Dir(path) == elsewhere {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		target := filepath.Join(elsewhere, fmt.Sprint("file-", len(contents)))
		contents[target] = string(data)
		if err := os.Rename(path, target); err != nil {
			return err
		}
		return os.Symlink(target, path)
	})
	if len(contents) == 0 {
		p.sawf("store leaves no file behind")
	}
	if o := p.get(p.Host); strings.Contains(o.stdout, secret) || !o.isRefusal() {
		p.sawf("get through links: %s, want a failure", o)
	}
	p.listed()
	_ = p.store(p.Host, p.Username, "other") // it may fail, or put files in the place of the links
	_ = p.erase(p.Host)
	for target, want := range contents {
		if got, err := os.ReadFile(target); err != nil || string(got) != want {
			p.sawf("store and erase through links: what they point to was changed")
		}
	}
}

// masked stores where nothing is masked, and where the folders are open to everybody.
func masked(p *probe) {
	const secret = "p6-secret"
	if o := p.shell(`umask 0; exec "$0" "$@"`, loginJSON(p.Host, p.Username, secret), "store"); o.code != 0 || o.hung {
		p.sawf("store under umask 0: %s, want exit 0", o)
		return
	}
	p.gives(p.Host, p.Username, secret)
	open := func() (paths []string) {
		p.each(func(path string, d fs.DirEntry) error {
			info, err := d.Info()
			if path != p.dir && err == nil && d.Type()&fs.ModeSymlink == 0 && info.Mode().Perm()&0o077 != 0 {
				paths = append(paths, strings.TrimPrefix(path, p.dir)+" "+info.Mode().String())
			}
			return err
		})
		return paths
	}
	if paths := open(); len(paths) > 0 {
		p.sawf("store under umask 0: %q are open to others", paths)
	}
	p.chmod(0o777, 0o666)
	_ = os.Chmod(filepath.Join(p.dir, "home"), 0o700)
	_ = os.Chmod(filepath.Join(p.dir, "tmp"), 0o700)
	// Refused, or made right: not carried on with as it is.
	if o := p.store(p.Host, p.Username, "p6-other"); o.code == 0 {
		if paths := open(); len(paths) > 0 {
			p.sawf("store into a store open to others: %q still are", paths)
		}
	}
}
