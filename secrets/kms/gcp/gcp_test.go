package gcp_test

import (
	"context"
	"hash/crc32"
	"net"
	"sync/atomic"
	"testing"

	kms "cloud.google.com/go/kms/apiv1"
	"cloud.google.com/go/kms/apiv1/kmspb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/beam-cloud/docker-credential-beta9/secrets/kms/gcp"
	"github.com/beam-cloud/docker-credential-beta9/secrets/kms/internal/kmstest"
)

// server stands in for Google Cloud KMS.
type server struct {
	kmspb.UnimplementedKeyManagementServiceServer
	keys map[string]kmstest.Box
	down atomic.Bool
	// corrupt makes it answer with another checksum than that of what it answers.
	corrupt atomic.Bool
}

func (s *server) box(name string) (kmstest.Box, error) {
	box, ok := s.keys[name]
	switch {
	case s.down.Load():
		return box, status.Error(codes.PermissionDenied, "the key is disabled")
	case !ok:
		return box, status.Error(codes.NotFound, "no such key")
	}
	return box, nil
}

func (s *server) sum(data []byte) *wrapperspb.Int64Value {
	sum := int64(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
	if s.corrupt.Load() {
		sum++
	}
	return wrapperspb.Int64(sum)
}

func (s *server) Encrypt(_ context.Context, in *kmspb.EncryptRequest) (*kmspb.EncryptResponse, error) {
	box, err := s.box(in.Name)
	if err != nil {
		return nil, err
	}
	sealed := box.Seal(in.Plaintext, in.AdditionalAuthenticatedData)
	return &kmspb.EncryptResponse{
		Name: in.Name, Ciphertext: sealed, CiphertextCrc32C: s.sum(sealed),
		VerifiedPlaintextCrc32C:                   in.PlaintextCrc32C.GetValue() == s.sum(in.Plaintext).GetValue(),
		VerifiedAdditionalAuthenticatedDataCrc32C: in.AdditionalAuthenticatedDataCrc32C.GetValue() == s.sum(in.AdditionalAuthenticatedData).GetValue(),
	}, nil
}

func (s *server) Decrypt(_ context.Context, in *kmspb.DecryptRequest) (*kmspb.DecryptResponse, error) {
	box, err := s.box(in.Name)
	if err != nil {
		return nil, err
	}
	plain, err := box.Open(in.Ciphertext, in.AdditionalAuthenticatedData)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "decryption failed")
	}
	return &kmspb.DecryptResponse{Plaintext: plain, PlaintextCrc32C: s.sum(plain)}, nil
}

func TestWrapper(t *testing.T) {
	const first, second = "projects/p/locations/l/keyRings/r/cryptoKeys/first", "projects/p/locations/l/keyRings/r/cryptoKeys/second"
	s := &server{keys: map[string]kmstest.Box{}}
	for _, key := range []string{first, second} {
		box, err := kmstest.NewBox()
		if err != nil {
			t.Fatal(err)
		}
		s.keys[key] = box
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rpc := grpc.NewServer()
	kmspb.RegisterKeyManagementServiceServer(rpc, s)
	go rpc.Serve(listener)
	defer rpc.Stop()
	client, err := kms.NewKeyManagementClient(t.Context(), option.WithEndpoint(listener.Addr().String()), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	w := gcp.New(client, first)
	wrapped, err := w.Wrap(t.Context(), []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	s.corrupt.Store(true)
	if _, err := w.Wrap(t.Context(), []byte("key")); err == nil {
		t.Error("a wrapped key with another checksum was taken")
	}
	if _, err := w.Unwrap(t.Context(), wrapped); err == nil {
		t.Error("a key with another checksum was taken")
	}
	s.corrupt.Store(false)
	kmstest.Run(t, kmstest.Service{First: w, Second: gcp.New(client, second), Down: &s.down})
}
